"""Measured parts of README and documentation: blocks between comments, from the reference's pages."""

import re
from pathlib import Path

from cdd.files import atomic_write

CLAIMS, BENCHMARKS = "claims", "benchmarks"
NAMES = re.compile(rf"<!-- ({CLAIMS}|{BENCHMARKS}|table\d) -->")


def write_blocks(document: Path, reference: Path) -> None:
    """Puts what a scale's reference has measured between the document's comments of its names."""
    text = document.read_text(encoding="utf-8")
    filled = text
    for name in NAMES.findall(text):
        block = "\n".join([f"<!-- {name} -->", *_lines(name, reference), f"<!-- /{name} -->"])
        before, _, rest = filled.partition(f"<!-- {name} -->")
        filled = before + block + rest.partition(f"<!-- /{name} -->")[2]
    if filled != text:
        atomic_write(document, filled)


def _lines(name: str, reference: Path) -> list[str]:
    if name == CLAIMS:
        return _verdicts(reference)
    if name == BENCHMARKS:
        return _machine_and_lines(reference.parent / f"{BENCHMARKS}.md")
    return _relative(reference / "tables" / f"{name}.md")


def _verdicts(reference: Path) -> list[str]:
    """How many claims have each verdict: the head and the last line of the ledger's count."""
    text = (reference / f"{CLAIMS}.md").read_text(encoding="utf-8")
    rows = _rows(text.partition("**Verdicts**")[2].partition("**")[0])
    return [*rows[:2], *(row for row in rows if row.startswith("| all "))]


def _machine_and_lines(page: Path) -> list[str]:
    """The sentence on the machine and the first table, without the tables of single lines."""
    _, machine, table = page.read_text(encoding="utf-8").split("\n\n")[:3]
    return [machine, "", *_rows(table)]


def _relative(page: Path) -> list[str]:
    """A table's block of what is relative to its reference row."""
    return _rows(page.read_text(encoding="utf-8").partition("**Relative")[2].partition("\n\n**")[0])


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]
