"""Which differences of a table's rows the spread over seeds explains."""

from collections.abc import Iterable
from math import sqrt
from pathlib import Path

from reproduce.artifact import Column
from reproduce.cells import Cell
from reproduce.paired_bootstrap import CONFIDENCE, Spread, pooled, seed_interval
from reproduce.plan import Wish
from reproduce.records import read_record

MARK = "†"
NOTE = (
    f"{MARK} A difference that seed noise explains: its {CONFIDENCE:.0%} interval over paired seeds holds "
    "zero. A row of one seed borrows the spread of those rows that are recorded for several."
)


def recorded_spreads(wishes: Iterable[Wish], folder: Path) -> dict[str, Spread]:
    """By metric the deviation over seeds, pooled over the rows that are recorded for several of them.

    Args:
        wishes: the runs of a table for all seeds that are looked for.
        folder: of the scale, with the records.
    """
    values: dict[str, dict[tuple[str, str], list[float]]] = {}
    for wish in wishes:
        path = folder / "runs" / f"{wish.recipe.run_id}.json"
        metrics = read_record(path).metrics if path.exists() else {}
        for name, value in metrics.items():
            values.setdefault(name, {}).setdefault((wish.label, wish.group), []).append(value)
    found = {name: pooled(list(rows.values())) for name, rows in values.items()}
    return {name: spread for name, spread in found.items() if spread}


def is_noise(cell: Cell, column: Column, spread: Spread | None) -> bool:
    """Whether a cell that is a difference from the reference row may be none.

    Args:
        cell: relative to the reference row, in the column's unit.
        spread: of the column's metric for one run, in the metric's unit; of a difference that nothing else
            is known of it is the square root of 2 times as large.
    """
    if column.relative != "difference" or not cell.values:
        return False
    borrowed = spread and Spread(sqrt(2) * column.factor * spread.deviation, spread.freedom)
    interval = seed_interval(cell.values, borrowed=borrowed)
    return interval.low <= 0 <= interval.high and interval.low < interval.high
