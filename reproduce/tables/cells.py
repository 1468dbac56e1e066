"""Figures of a table: for each cell one value per seed, and the paper's number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.schema.table import Column, Group, Row, Table
    from reproduce.execution.outcome import Outcome
    from reproduce.planning.requested_run import RequestedRun


NOT_RUN, FAILED, REPORTED, MEASURED = "not run", "failed", "reported", ""
NOT_MEASURED = "not measured"
"""A run is missing, or is older than the metric."""


@dataclass(frozen=True)
class Cell:
    """One figure: by seed, in the column's unit.

    Attributes:
        paper: the published number; None where there is none.
        state: why there is no value; empty where there is one.
    """

    values: Mapping[int, float] = field(default_factory=dict)
    paper: float | None = None
    state: str = MEASURED

    @property
    def mean(self) -> float | None:
        """Average over the seeds; None without any."""
        return fmean(self.values.values()) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation; None for fewer than two seeds."""
        return stdev(self.values.values()) if len(self.values) > 1 else None

    @property
    def gap(self) -> float | None:
        """Ours minus the paper's."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper


CellKey = tuple[str, str, str]
"""Row label, group title, column name."""


def measure(
    table: "Table", requested_runs: "list[RequestedRun]", outcomes: "Mapping[str, Outcome]"
) -> dict[CellKey, Cell]:
    """Every cell of the table, in reading order; a run without an outcome was not run."""
    runs: dict[tuple[str, str], list[RequestedRun]] = {}
    for requested in requested_runs:
        runs.setdefault((requested.label, requested.group), []).append(requested)
    return {
        (row.label, group.title, column.name): _cell(
            row, group, column, runs.get((row.label, group.title), []), outcomes
        )
        for row in table.rows
        for group in table.groups
        for column in group.columns
    }


def relative(table: "Table", cells: Mapping[CellKey, Cell]) -> dict[CellKey, Cell]:
    """The cells compared with the table's reference row, seed by seed and for the paper's numbers."""
    if table.reference is None:
        return {}
    found = {}
    for row in table.rows:
        for group in table.groups:
            for column in group.columns:
                key = (row.label, group.title, column.name)
                found[key] = _compared(column, cells[key], cells[table.reference, group.title, column.name])
    return found


def values_by_seed(
    group: "Group",
    column: "Column",
    requested_runs: "Iterable[RequestedRun]",
    outcomes: "Mapping[str, Outcome]",
) -> dict[int, float]:
    """One figure of these runs by seed, in the column's unit, where it was measured."""
    key = group.metric(column)
    known = {
        requested.recipe.seed: outcomes[requested.recipe.run_id].metrics
        for requested in requested_runs
        if requested.recipe.run_id in outcomes
    }
    return {seed: metrics[key] * column.factor for seed, metrics in known.items() if key in metrics}


def _cell(
    row: "Row",
    group: "Group",
    column: "Column",
    requested_runs: "list[RequestedRun]",
    outcomes: "Mapping[str, Outcome]",
) -> Cell:
    entry = row.entries.get(group.title)
    paper = entry.paper.get(column.name) if entry else None
    if row.reported:
        return Cell(paper=paper, state=REPORTED)
    known = {
        requested.recipe.seed: outcomes[requested.recipe.run_id]
        for requested in requested_runs
        if requested.recipe.run_id in outcomes
    }
    values = values_by_seed(group, column, requested_runs, outcomes)
    failed = any(outcome.state in ("failed", "skipped") for outcome in known.values())
    return Cell(values, paper, MEASURED if values else FAILED if failed else NOT_RUN)


def _compared(column: "Column", cell: Cell, reference: Cell) -> Cell:
    values = {
        seed: compare(column, value, reference.values[seed])
        for seed, value in cell.values.items()
        if seed in reference.values
    }
    paper = None
    if cell.paper is not None and reference.paper is not None:
        paper = compare(column, cell.paper, reference.paper)
    state = cell.state or (MEASURED if values else reference.state or NOT_RUN)
    return Cell(values, paper, state)


def compare(column: "Column", value: float, reference: float) -> float:
    """A value relative to the reference: percent of it, or the difference from it."""
    return 100 * value / reference if column.relative == "percent" else value - reference
