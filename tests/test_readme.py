"""The README keeps its word: its commands exist, its links lead somewhere, its table is the measured one."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.page import page
from reproduce.cli.app import Suite, app

pytestmark = pytest.mark.committed

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
COMMANDS = re.findall(r"^    python -m reproduce (.*?)(?: {2,}#.*)?$", README, re.MULTILINE)
GROUPS = {"data"}
TABLES = PROJECT / "results" / "reference" / "mini" / "tables"


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_every_verb_and_option_is_known(command: str) -> None:
    words = shlex.split(command)
    known = app_help(words[:2] if words[0] in GROUPS else words[:1])
    for option in (word for word in words if word.startswith("--")):
        assert option in known


def app_help(first: list[str]) -> str:
    """The help of a verb, or of a verb within a group; an artifact's is that of `run`."""
    verb = first if first[0] in Suite.verbs else ["run"]
    done = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})
    assert done.exit_code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", done.output)


@pytest.mark.parametrize("target", re.findall(r"^    make (\w+)", README, re.MULTILINE))
def test_every_target_is_in_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^):]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (PROJECT / link).exists()


@pytest.mark.parametrize("name", re.findall(r"<!-- (table\d) -->", README))
def test_a_table_is_the_measured_one(name: str) -> None:
    shown = README.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].split()
    measured = (TABLES / f"{name}.md").read_text()
    relative = measured.partition("**Relative")[2].partition("**Verdicts")[0]
    rows = [line for line in relative.splitlines() if line.startswith("|")]
    assert shown == "\n".join(rows).split()


def test_the_benchmarks_are_the_measured_ones() -> None:
    shown = README.partition("<!-- benchmarks -->")[2].partition("<!-- /benchmarks -->")[0]
    stored = json.loads((PROJECT / "results" / "reference" / "benchmarks.json").read_text())
    whole = page(stored)
    assert (PROJECT / "results" / "reference" / "benchmarks.md").read_text().endswith(whole)
    assert shown.strip() == "\n\n".join(whole.split("\n\n")[:2]).strip()


def test_the_verdicts_are_those_of_the_ledger() -> None:
    shown = README.partition("<!-- claims -->")[2].partition("<!-- /claims -->")[0].split("\n")
    counted = (TABLES.parent / "claims.md").read_text().partition("**Verdicts**")[2].partition("**")[0]
    rows = [line for line in counted.splitlines() if line.startswith("|")]
    whole = [*rows[:2], *(row for row in rows if row.startswith("| all "))]
    assert [line.split() for line in shown if line] == [row.split() for row in whole]
    assert len(whole) == 3


def test_the_verdicts_stand_on_the_first_screen() -> None:
    assert "<!-- /claims -->" in "\n".join(README.splitlines()[:30])
