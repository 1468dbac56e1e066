"""The judged claims as the page shows them: counts first, then each source's, folded below its own counts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reproduce.report.html_table import HtmlGrid, html_grid
from reproduce.tables.ledger_table import SHOWN, by_source, counts, counts_text

if TYPE_CHECKING:
    from reproduce.pipeline.ledger import Ledger


@dataclass(frozen=True)
class SourceClaims:
    """The claims of one table or figure of a paper.

    Attributes:
        source: with its publication.
        summary: how many there are, and how many have each verdict.
    """

    anchor: str
    source: str
    summary: str
    grid: HtmlGrid


@dataclass(frozen=True)
class LedgerPart:
    """All of them; what is said of them here, tables and figures do not say again."""

    counts: HtmlGrid
    sources: tuple[SourceClaims, ...]
    notes: tuple[str, ...]
    command: str

    def anchor(self, source: str) -> str:
        """Where the page has the claims of a source; empty for none."""
        return next((found.anchor for found in self.sources if found.source == source), "")

    def without_own(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        """Notes of a table or figure that are about it alone."""
        return tuple(note for note in notes if note not in (SHOWN, *self.notes))


def ledger_part(ledger: "Ledger", command: str) -> LedgerPart:
    """The part of the page, made again by this command."""
    first, *others = ledger.sheet.blocks
    sources = [
        SourceClaims(
            f"claims-{number}",
            found[0].claim.source,
            f"{len(found)}: {counts_text({name: count for name, count in counts(found).items() if count})}",
            html_grid(block),
        )
        for number, (found, block) in enumerate(
            zip(by_source(ledger.claims).values(), others, strict=True), 1
        )
    ]
    return LedgerPart(html_grid(first), tuple(sources), ledger.sheet.notes, command)
