"""Everything can be printed on a terminal that knows nothing but ASCII."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reproduce.cli.group import make_legible
from reproduce.storage.provenance import ROOT


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("41.2 ± 0.3 †", "41.2 +/- 0.3 +"),
        ("\u22120.5 \u2013 \u2014 3×4 → ≤ ≥", "-0.5 - - 3x4 -> <= >="),
        ("Café Müller ²", "Cafe Muller 2"),
        ("─┃ \udcff 漢", "?? ? ?"),
        ("plain", "plain"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(text: str, plain: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    make_legible(stream)
    print(text, end="", file=stream, flush=True)
    assert raw.getvalue().decode() == plain


def test_what_an_encoding_has_stays() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    make_legible(stream)
    print("± † \udcff", end="", file=stream, flush=True)
    assert raw.getvalue().decode() == "± † ?"


@pytest.mark.parametrize(
    "words", [["--help"], ["show", "table1", "--set", "data.name=é"], ["show", "table1"]]
)
def test_commands_run_in_a_locale_without_utf_8(words: list[str], tmp_path: Path) -> None:
    surroundings = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    words = [*words, *([] if "--help" in words else ["--results", str(tmp_path)])]
    command = [sys.executable, "-X", "warn_default_encoding", "-m", "reproduce", *words]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, check=False)
    assert done.returncode == (2 if "--set" in words else 0), done.stderr
    assert done.stdout.isascii()
    assert b"Traceback" not in done.stderr
    # Our own files; what libraries do is theirs.
    ours = [
        line for line in done.stderr.splitlines() if b"EncodingWarning" in line and str(ROOT).encode() in line
    ]
    assert [line for line in ours if b"site-packages" not in line] == []
