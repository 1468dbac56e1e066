"""A drawn table on pages, as other programs read them."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.tables.build import write
from reproduce.tables.pdf import page
from tests.reproduce.fakes import TEACHER, table
from tests.reproduce.tables.test_build import drawn


def test_a_page_has_the_same_bytes_when_drawn_again() -> None:
    first = page(drawn())
    assert first == page(drawn())
    assert first.startswith(b"%PDF")


def poppler(tool: str) -> Callable[[Path], str]:
    if not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    output = ["-"] if tool == "pdftotext" else []
    return lambda path: subprocess.check_output([tool, str(path), *output], text=True)


def test_a_long_sheet_has_its_title_heads_and_a_number_on_every_page(tmp_path: Path) -> None:
    rows = (replace(TEACHER, label=f"Teacher {number}") for number in range(60))
    files = {path.suffix: path for path in write(drawn(table(*rows)), tmp_path)}
    assert "841.89 x 595.28 pts (A4)" in poppler("pdfinfo")(files[".pdf"])
    pages = poppler("pdftotext")(files[".pdf"]).split("\f")[:-1]
    assert len(pages) > 2
    for number, words in enumerate(pages, 1):
        assert "Table 9. Two networks on a shelf" in words
        assert f"{number} of {len(pages)}" in words
    assert sum("MP (M)" in words for words in pages) > 1


def test_a_page_is_one_page_with_all_its_text(tmp_path: Path) -> None:
    files = {path.suffix: path for path in write(drawn(), tmp_path)}
    assert re.search(r"Pages:\s+1\n", poppler("pdfinfo")(files[".pdf"]))
    words = " ".join(poppler("pdftotext")(files[".pdf"]).split())
    for text in ("Two networks on a shelf", "48.00 ± 0.00", "Elsewhere_& co", "reproduced", "abcdef0123"):
        assert text in words
