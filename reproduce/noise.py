"""Which differences of a table's rows may be none, by the statistic that claims are judged with."""

from collections.abc import Iterable

from reproduce.artifact import Table
from reproduce.cells import CellKey
from reproduce.claim import Final
from reproduce.evidence import Evidence, RunEvidence
from reproduce.measurement import differences
from reproduce.paired_bootstrap import CONFIDENCE, interval_of
from reproduce.plan import Wish
from reproduce.spreads import Spreads

MARK = "†"
NOTE = (
    f"{MARK} A difference that may be none: its {CONFIDENCE:.0%} interval, over queries and paired seeds as "
    "in the claims ledger, holds zero. A row of one seed borrows the spread of recorded runs of several."
)
Runs = dict[tuple[str, str], dict[int, RunEvidence]]
"""By row and group, and by seed."""


def within_noise(table: Table, wishes: Iterable[Wish], evidence: Evidence) -> frozenset[CellKey]:
    """The cells whose difference from the reference row has an interval that holds zero."""
    protocols = {group.title: group.protocol for group in table.groups}
    runs: Runs = {}
    for wish in wishes:
        if found := evidence.recorded(wish.recipe, protocols[wish.group]):
            runs.setdefault((wish.label, wish.group), {})[wish.recipe.seed] = found
    spreads = Spreads(evidence)
    return frozenset(
        (row.label, group.title, column.name)
        for row in table.rows
        for group in table.groups
        for column in group.columns
        if column.relative == "difference"
        and _may_be_none(
            Final(column),
            runs.get((row.label, group.title), {}),
            runs.get((table.reference or "", group.title), {}),
            spreads,
        )
    )


def _may_be_none(
    measure: Final, row: dict[int, RunEvidence], reference: dict[int, RunEvidence], spreads: Spreads
) -> bool:
    sides = {seed: (row[seed], reference[seed]) for seed in sorted(row) if seed in reference}
    found = differences(measure, sides)
    if not found:
        return False
    interval = interval_of(found, borrowed=spreads.of(measure, *sides[min(found)]))
    return interval.low <= 0 <= interval.high and interval.low < interval.high
