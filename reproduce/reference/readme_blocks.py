"""The measured parts of the README: blocks between comments, taken from the reference's pages."""

import re
from pathlib import Path

from cdd.files import atomic_write

CLAIMS = "claims"


def write_blocks(readme: Path, reference: Path) -> None:
    """Puts the tables of a scale's reference between the README's comments of their names."""
    text = readme.read_text(encoding="utf-8")
    for name in re.findall(r"<!-- (claims|table\d) -->", text):
        lines = _verdicts(reference) if name == CLAIMS else _relative(reference / "tables" / f"{name}.md")
        block = "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->"])
        before, _, rest = text.partition(f"<!-- {name} -->")
        text = before + block + rest.partition(f"<!-- /{name} -->")[2]
    atomic_write(readme, text)


def _verdicts(reference: Path) -> list[str]:
    """How many claims have each verdict: the head and the last line of the ledger's count."""
    text = (reference / f"{CLAIMS}.md").read_text(encoding="utf-8")
    rows = _rows(text.partition("**Verdicts**")[2].partition("**")[0])
    return [*rows[:2], *(row for row in rows if row.startswith("| all "))]


def _relative(page: Path) -> list[str]:
    """A table's block of what is relative to its reference row."""
    return _rows(page.read_text(encoding="utf-8").partition("**Relative")[2].partition("\n\n**")[0])


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]
