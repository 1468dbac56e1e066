"""Effect sizes: differences of a variant's runs from the default's, seed by seed, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from experiments.schema.claim import FinalMetric
from experiments.schema.figure import ForestPlot, Variant
from experiments.schema.table import Column
from reproduce.claims.measures import differences, value
from reproduce.claims.seed_variance import PooledSeedStd
from reproduce.evidence.context import RenderContext
from reproduce.evidence.histories import measured
from reproduce.evidence.run_lookup import ClaimRun, RunLookup
from reproduce.statistics.intervals import Difference, Interval, interval_of
from reproduce.storage.run_record import RunRecord

PERCENT = 100.0
SEEDS_LOOKED_FOR = range(10)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One choice in one column.

    Attributes:
        values: by seed, in the column's unit.
        interval: of the difference from the default, in percent of it or in the column's unit; None where
            no seed has both.
    """

    values: Mapping[int, float]
    interval: Interval | None


class PairedComparison:
    """Choices of a figure against its default, from the records of their runs."""

    def __init__(self, figure: ForestPlot, material: RenderContext):
        self.figure, self.material = figure, material
        self.evidence = RunLookup(material.records_folder, material.scale, {})
        self.spreads = PooledSeedStd(self.evidence)
        self.runs: dict[str, dict[int, ClaimRun]] = {}
        for requested in material.requested_runs:
            if run := self.evidence.recorded(requested.recipe, figure.group.protocol):
                self.runs.setdefault(requested.label, {})[requested.recipe.seed] = run

    def default(self, column: Column) -> dict[int, float]:
        """The default's values of the seeds that are shown."""
        return _values(self.runs.get(self.figure.default.label, {}), column)

    def default_everywhere(self, column: Column) -> dict[int, float]:
        """The default's values of all seeds that have a record: more, where other artifacts show it."""
        if self.material.overrides:
            return self.default(column)
        make, scale = self.figure.default.recipe, self.material.scale
        runs = {
            seed: self.evidence.recorded(make(scale, seed), self.figure.group.protocol)
            for seed in SEEDS_LOOKED_FOR
        }
        return _values({seed: run for seed, run in runs.items() if run}, column)

    def seed_deviation(self, column: Column) -> float | None:
        """Standard deviation of the default over its seeds, as differences are given; None for one seed."""
        values = list(self.default_everywhere(column).values())
        if len(values) < 2:
            return None
        return stdev(values) * (PERCENT / fmean(values) if column.relative == "percent" else 1)

    def worth(self, choice: Variant, column: Column) -> Effect:
        """The choice in this column."""
        mine = self.runs.get(choice.label, {})
        if choice.epoch == "best":
            return self._worth_of_best_epoch(mine, column)
        default = self.runs.get(self.figure.default.label, {})
        sides = {seed: (mine[seed], default[seed]) for seed in sorted(mine) if seed in default}
        found = differences(FinalMetric(column), sides)
        values = _values({seed: sides[seed][0] for seed in found}, column)
        if not found:
            return Effect(values=values, interval=None)
        interval = interval_of(
            found, pooled_from_other_runs=self.spreads.of(FinalMetric(column), *sides[min(found)])
        )
        # Of a cost the ledger has the percentage that is saved, a figure of choices the one that is added.
        return Effect(values=values, interval=interval.mirrored if column.relative == "percent" else interval)

    def _worth_of_best_epoch(self, runs: Mapping[int, ClaimRun], column: Column) -> Effect:
        """Against the last epoch of the same training."""
        judge, key = (self.figure.group.metric(each) for each in (self.figure.columns[0], column))
        found = {seed: best_and_last(run.record, key, judge) for seed, run in runs.items()}
        pairs = {seed: pair for seed, pair in found.items() if pair}
        changes = {seed: Difference(_change(column, *pair)) for seed, pair in pairs.items()}
        values = {seed: best * column.factor for seed, (best, _) in pairs.items()}
        return Effect(values=values, interval=interval_of(changes) if changes else None)


def _values(runs: Mapping[int, ClaimRun], column: Column) -> dict[int, float]:
    found = {seed: value(FinalMetric(column), run) for seed, run in runs.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def _change(column: Column, value: float, default: float) -> float:
    """In percent of the default, or in the column's unit."""
    if column.relative == "percent":
        return PERCENT * (value / default - 1)
    return column.factor * (value - default)


def best_and_last(record: RunRecord, key: str, judge: str) -> tuple[float, float] | None:
    """A metric after the epoch in which another one is highest, and after the last, both while training."""
    judged, values = dict(measured(record.history, judge)), dict(measured(record.history, key))
    epochs = sorted(set(judged) & set(values))
    if not epochs:
        return None
    # Of epochs that are equally good the last one: nothing is then gained by another.
    best = max(epochs, key=lambda epoch: (judged[epoch], epoch))
    return values[best], values[epochs[-1]]
