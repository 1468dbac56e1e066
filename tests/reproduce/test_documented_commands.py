"""Every block of code in README and documentation runs, with trainings that learn nothing.

What a block before leaves in the folder, the next one of its page finds there.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdd.models.deployed import save_deployed
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.result import DEPLOYED, Result
from reproduce.storage.provenance import ROOT
from tests.documents import PAGES, Block, blocks, name_of
from tests.reproduce.fakes import FakeTraining
from tests.reproduce.said import Said

pytestmark = [pytest.mark.committed, pytest.mark.slow]

NEEDS = {"a GPU", "a browser", "a cluster", "network", "the paper's data", "your files"}
"""What a block may say that it needs, which a test has not."""
EXAMPLES = {"method", "row", "law"}
"""Blocks that `test_readme_method.py` runs."""
OUTPUT = "output"


class OwnNetwork(FakeTraining):
    """Ends with a network of the recipe's own kind."""

    def __call__(self, recipe: Recipe, folder: Path, **named: Any) -> Result:
        result = super().__call__(recipe, folder, **named)
        network = RetrievalNetwork(recipe.student, identities=8, folded=True)
        save_deployed(network, recipe.student, folder / DEPLOYED)
        return result


Shell = Callable[[str], str]


@pytest.fixture
def shell(results: Path, training: FakeTraining, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs one command in a folder of its own; returns what it printed."""
    monkeypatch.setattr("cdd.run.run", OwnNetwork(training.deployed))
    monkeypatch.chdir(results.parent)
    return _execute


def _execute(command: str) -> str:
    words = command.split()
    if words[0] == "make":
        return _process(["make", "--dry-run", words[1]])  # What it would do; `.ci/run` does it.
    assert words[:2] == ["python", "-m"], f"no test knows how to run this: {command}"
    if words[2] != "reproduce":
        assert words[3:] == ["--help"], f"only the help of another module is run: {command}"
        return _process([sys.executable, *words[1:]])
    said = Said(*words[3:])
    assert said.code == 0, f"{command}\n{said.err}\n{said.out}"
    return said.out


def _process(words: list[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plain(text: str) -> str:
    """Single spaces, and no lines of a table's frame."""
    return " ".join(text.replace("┃", "│").split())


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks(page)],
    ids=lambda block: f"{name_of(block.page)}:{block.line}",
)
def test_a_block_says_what_it_is(block: Block) -> None:
    if block.language == "text":
        assert block.comment == OUTPUT, "a text is the output of the block before it"
    elif not block.language.startswith("{"):
        assert block.language in ("sh", "python"), "give the block a language: sh, python or text"
        assert block.comment in EXAMPLES or block.needs in NEEDS | {""}


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))], ids=name_of)
def test_every_block_runs(page: Path, shell: Shell) -> None:
    said, names = "", {"__name__": "documentation"}
    for block in blocks(page):
        if block.needs or block.comment in EXAMPLES:
            continue
        if block.language == "sh":
            said = plain(" ".join(shell(command) for command in block.commands))
        elif block.language == "python":
            exec(compile(block.text, f"{page}:{block.line}", "exec"), names)
        elif block.comment == OUTPUT:
            for line in block.text.splitlines():
                assert plain(line) in said, f"{line}\nis not in\n{said}"
