"""Sentence on whether the user's numbers lie within the reference's spread over seeds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from scipy.special import stdtrit

from reproduce.statistics.intervals import CONFIDENCE, SeedStd, pooled
from reproduce.tables.cells import Cell, CellKey, values_by_seed
from reproduce.tables.rendered_table import number_text

if TYPE_CHECKING:
    from experiments.schema.figure import Artifact
    from experiments.schema.table import Column
    from reproduce.evidence.context import RenderContext
    from reproduce.execution.outcome import Outcome
    from reproduce.planning.requested_run import RequestedRun


NAMED = 4
"""Numbers outside that a note names."""
SAME_COUNT = 1e-5
"""Relative difference of two counts that are the same; a record has six digits."""


@dataclass(frozen=True)
class Compared:
    """One number of the user beside the reference's mean, in the column's unit.

    Attributes:
        bound: half width of the interval that the reference predicts for the user's mean.
    """

    name: str
    difference: float
    bound: float

    @property
    def is_within(self) -> bool:
        """Whether another training of the reference could have given this number."""
        return abs(self.difference) <= self.bound


def note(artifact: "Artifact", material: "RenderContext") -> list[str]:
    """One line of the user's numbers against the reference's spread; none without numbers of both."""
    if material.reference is None:
        return []
    own = _cells(artifact, material.requested_runs, material.outcomes)
    reference = _cells(artifact, material.reference.requested_runs, material.reference.outcomes)
    columns = {(group.title, column.name): column for group in artifact.groups for column in group.columns}
    found = list(_compared(own, reference, columns))
    if not found:
        return []
    outside = sorted((each for each in found if not each.is_within), key=_excess)
    text = (
        f"Yours within the reference's spread: {len(found) - len(outside)} of {len(found)} numbers "
        f"({CONFIDENCE:.0%} prediction interval, spread over seeds pooled over rows)."
    )
    if outside:
        named = "; ".join(
            f"{each.name} {number_text(each.difference, 2, signed=True)} (±{each.bound:.2f})"
            for each in outside[:NAMED]
        )
        more = f"; and {len(outside) - NAMED} more" if len(outside) > NAMED else ""
        text += f" Outside: {named}{more}."
    return [text]


def _cells(
    artifact: "Artifact", requested_runs: "Iterable[RequestedRun]", outcomes: "Mapping[str, Outcome]"
) -> dict[CellKey, Cell]:
    runs: dict[tuple[str, str], list[RequestedRun]] = {}
    for requested in requested_runs:
        runs.setdefault((requested.label, requested.group), []).append(requested)
    return {
        (label, title, column.name): Cell(values)
        for (label, title), own in runs.items()
        for group in artifact.groups
        if group.title == title
        for column in group.columns
        if (values := values_by_seed(group, column, own, outcomes))
    }


def _compared(
    own: Mapping[CellKey, Cell],
    reference: Mapping[CellKey, Cell],
    columns: "Mapping[tuple[str, str], Column]",
) -> Iterable[Compared]:
    """Numbers that both have and of which the reference's spread is known."""
    for key, cell in own.items():
        other = reference.get(key, Cell())
        if cell.mean is None or other.mean is None:
            continue
        rows = [list(each.values.values()) for place, each in reference.items() if place[1:] == key[1:]]
        bound = _bound(cell, other, pooled([values for values in rows if len(set(values)) > 1]))
        if bound is not None:
            column = columns[key[1:]]
            yield Compared(f"{key[0]} {column.name}", cell.mean - other.mean, bound)


def _bound(own: Cell, reference: Cell, spread: SeedStd | None) -> float | None:
    if reference.deviation == 0 and reference.mean is not None:
        return SAME_COUNT * abs(reference.mean)
    if spread is None:
        return None
    quantile = float(stdtrit(spread.freedom, (1 + CONFIDENCE) / 2))
    return quantile * spread.deviation * sqrt(1 / len(own.values) + 1 / len(reference.values))


def _excess(compared: Compared) -> float:
    return compared.bound - abs(compared.difference)
