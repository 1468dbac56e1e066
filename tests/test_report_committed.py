"""The committed page and text are what the program makes of the committed records."""

import re
from pathlib import Path

import pytest

from reproduce.execution.listener import Listener
from reproduce.report.build import ReportRequest, make_report

PROJECT = Path(__file__).parents[1]
ADVICE = "make it again: python -m reproduce record"


@pytest.mark.slow
@pytest.mark.committed
def test_page_and_text_are_made_of_the_committed_records(tmp_path: Path) -> None:
    """A fresh clone: a results folder without any run of its own."""
    page, text = make_report(ReportRequest(results=tmp_path), Listener()).files
    written = text.read_text().replace("](report.html", "](results/reference/mini/report.html")
    assert written == (PROJECT / "REPRODUCIBILITY.md").read_text(), ADVICE
    committed = PROJECT / "results" / "reference" / "mini" / page.name
    assert _words(page) == _words(committed), ADVICE
    assert committed.stat().st_size < 8e6


def _words(page: Path) -> str:
    """The page without its pictures, whose bytes are those of the drawing library."""
    return re.sub(r'src="data:[^"]*"', "", page.read_text())
