"""Every room's `__init__` says in one sentence what lives there and what it may import."""

import ast
import re
from pathlib import Path

import pytest

from tests.test_architecture import LAYERS, PACKAGES, ROOMS, parsed, sources

FACES = [path for path in sources(*PACKAGES) if path.name == "__init__.py" and len(path.parts) > 2]
MAY_IMPORT = "; may import "


def sentence(path: Path) -> str:
    return (ast.get_docstring(parsed(path)) or "").partition("\n\n")[0]


@pytest.mark.parametrize("path", FACES, ids=str)
def test_a_room_says_what_lives_there_and_what_it_may_import(path):
    assert re.fullmatch(f"[^;.]+(; .+)?{MAY_IMPORT}[^;]+\\.", sentence(path)), f"{path}: {sentence(path)!r}"


@pytest.mark.parametrize("path", [path for path in FACES if len(path.parts) == 3], ids=str)
def test_a_room_names_what_lies_right_below_it(path):
    package, room, _ = path.parts
    floors = LAYERS if package == "cdd" else ROOMS[package]
    words = re.findall(r"\w+", sentence(path).partition(MAY_IMPORT)[2])
    named = {floors[word] for word in words if word in floors}
    below = max((floor for floor in floors.values() if floor < floors[room]), default=None)
    assert named == set() or max(named) == below, f"{path}: {sentence(path)!r}"
