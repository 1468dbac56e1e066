"""Text is read and written in a named encoding, never in whatever the machine happens to have."""

import ast

import pytest

from tests.test_architecture import PACKAGES, dotted, each, parsed

TEXT_MODES = ("r", "w", "a", "x", "r+", "w+", "a+", "rt", "wt", "at")


def texts_without_encoding(tree: ast.AST) -> list[int]:
    """Lines that read or write text without naming its encoding."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if is_text(call) and not names(call, "encoding")]


def names(call: ast.Call, keyword: str) -> bool:
    return any(word.arg == keyword for word in call.keywords)


def is_text(call: ast.Call) -> bool:
    head = dotted(call.func) or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    name = head.rpartition(".")[2]
    modes = [word.value for word in call.keywords if word.arg == "mode"]
    modes += call.args[1:2] if head == "open" else call.args[:1]
    mode = next((mode.value for mode in modes if isinstance(mode, ast.Constant)), None)
    if name == "open":
        return "b" not in str(mode or "") if head == "open" else mode in TEXT_MODES
    as_text = any(
        word.arg in ("text", "universal_newlines")
        and isinstance(word.value, ast.Constant)
        and word.value.value is True
        for word in call.keywords
    )
    return as_text or name in ("read_text", "write_text", "fdopen")


@pytest.mark.parametrize(
    "source",
    [
        "open('a')",
        "open('a', 'w')",
        "path.read_text()",
        "(folder / 'a').write_text('b')",
        "path.open('w')",
        "subprocess.run(['a'], text=True)",
    ],
)
def test_the_reader_finds_every_text(source):
    assert texts_without_encoding(ast.parse(source)) == [1]


def test_the_reader_lets_bytes_and_named_encodings_pass():
    tree = ast.parse(
        "open('a', 'rb')\npath.open('wb')\narchive.open('name')\npath.read_text(encoding='utf-8')\n"
        "path.write_text('a', encoding='utf-8')\nsubprocess.run(['a'], text=True, encoding='utf-8')\n"
        "Claim(text='a')"
    )
    assert not texts_without_encoding(tree)


@each(*PACKAGES)
def test_every_text_has_a_named_encoding(path):
    found = texts_without_encoding(parsed(path))
    assert not found, f'{path}, lines {found}: name the encoding, encoding="utf-8"'
