"""The committed page and text are what the program makes of the committed records."""

import re
import shutil
from pathlib import Path

import pytest

from reproduce.listener import Listener
from reproduce.report import ReportRequest, make_report

PROJECT = Path(__file__).parents[1]
ADVICE = "make it again: python -m reproduce report"


@pytest.mark.slow
def test_page_and_text_are_made_of_the_committed_records(tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(PROJECT / "results" / "mini", results / "mini")
    request = ReportRequest(results=results, text=tmp_path / "REPRODUCIBILITY.md")
    page, text = make_report(request, Listener()).files
    assert text.read_text() == (PROJECT / "REPRODUCIBILITY.md").read_text(), ADVICE
    committed = PROJECT / "results" / "mini" / page.name
    assert _words(page) == _words(committed), ADVICE
    assert committed.stat().st_size < 8e6


def _words(page: Path) -> str:
    """The page without its pictures, whose bytes are those of the drawing library."""
    return re.sub(r'src="data:[^"]*"', "", page.read_text())
