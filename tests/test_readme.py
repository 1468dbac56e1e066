"""README and documentation: options exist, links lead somewhere, tables are the measured ones."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.page import page
from reproduce.cli.app import Suite, app
from reproduce.statistics.verdicts import MEANINGS
from tests.documents import PAGES, PROJECT, blocks, name_of

pytestmark = pytest.mark.committed

README = PROJECT / "README.md"
LONGEST = 150
COMMANDS = sorted(
    {
        command.partition("-m reproduce ")[2]
        for page in PAGES
        for block in blocks(page)
        if block.language == "sh"
        for command in block.commands
        if "-m reproduce " in command
    }
)
GROUPS = {"data"}
REFERENCE = PROJECT / "results" / "reference"
TABLES = REFERENCE / "mini" / "tables"
MEASURED = [
    (page, name) for page in PAGES for name in re.findall(r"<!-- (table\d) -->\n", page.read_text("utf-8"))
]


def between(page: Path, name: str) -> str:
    """What a page has between the comments of a name."""
    return (
        page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
    )


def with_block(name: str) -> list[Path]:
    """Pages with a measured block of this name."""
    found = [page for page in PAGES if f"<!-- {name} -->\n" in page.read_text(encoding="utf-8")]
    assert found
    return found


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 20


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


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Anchors are checked where the site is built."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page, name", MEASURED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_table_is_the_measured_one(page: Path, name: str) -> None:
    measured = (TABLES / f"{name}.md").read_text(encoding="utf-8")
    relative = measured.partition("**Relative")[2].partition("**Verdicts")[0]
    rows = [line for line in relative.splitlines() if line.startswith("|")]
    assert rows and between(page, name).split() == "\n".join(rows).split()


def test_the_benchmarks_are_the_measured_ones() -> None:
    stored = json.loads((REFERENCE / "benchmarks.json").read_text(encoding="utf-8"))
    whole = page(stored)
    assert (REFERENCE / "benchmarks.md").read_text(encoding="utf-8").endswith(whole)
    for document in with_block("benchmarks"):
        assert between(document, "benchmarks").strip() == "\n\n".join(whole.split("\n\n")[:2]).strip()


def test_the_verdicts_are_those_of_the_ledger() -> None:
    counted = (
        (TABLES.parent / "claims.md")
        .read_text(encoding="utf-8")
        .partition("**Verdicts**")[2]
        .partition("**")[0]
    )
    rows = [line for line in counted.splitlines() if line.startswith("|")]
    whole = [*rows[:2], *(row for row in rows if row.startswith("| all "))]
    assert len(whole) == 3
    for document in with_block("claims"):
        shown = between(document, "claims").splitlines()
        assert [line.split() for line in shown] == [row.split() for row in whole]


@pytest.mark.parametrize("document", with_block("claims"), ids=name_of)
def test_the_five_words_are_explained_where_they_are_counted(document: Path) -> None:
    rows = "".join(f"| {word} | {meaning} |\n" for word, meaning in MEANINGS.items())
    assert rows in document.read_text(encoding="utf-8")


def test_the_verdicts_stand_on_the_first_screen() -> None:
    assert "<!-- /claims -->" in "\n".join(README.read_text(encoding="utf-8").splitlines()[:30])
