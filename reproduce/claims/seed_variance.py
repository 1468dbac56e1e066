"""Standard deviations over seeds, pooled over comparable runs."""

from collections.abc import Container
from dataclasses import replace
from math import log, sqrt
from typing import TYPE_CHECKING

from experiments.schema.claim import FinalMetric, Measure
from reproduce.claims.measures import value
from reproduce.statistics.intervals import PERCENT, SeedStd, pooled

if TYPE_CHECKING:
    from reproduce.evidence.run_lookup import ClaimRun, RunLookup


ALL_SEEDS = range(2**63)


class PooledSeedStd:
    """Deviations over seeds, pooled over all recorded runs that differ in their seeds alone.

    Runs of other data or another protocol are left out. Runs are not paired here, so a difference of two
    has the square root of 2 times the deviation of one; runs of one seed share what they start from, so that
    this is rather too much than too little.
    """

    def __init__(self, evidence: "RunLookup", seeds: Container[int] = ALL_SEEDS):
        self._evidence, self._seeds = evidence, seeds
        self._pooled: dict[tuple[str, ...], SeedStd | None] = {}

    def of(self, measure: Measure, of: "ClaimRun", than: "ClaimRun | None") -> SeedStd | None:
        """The spread of a difference, or of one run's figure; None where no such run has several seeds."""
        spread = self.of_run(measure, of)
        if spread is None:
            return None
        if not is_cost(measure):
            return SeedStd(spread.deviation * sqrt(2), spread.freedom) if than else spread
        pruned = [run for run in (of, than) if run and run.record.channels]
        first, second = value(measure, of), value(measure, than)
        if not pruned or first is None or second is None:
            return None
        return SeedStd(PERCENT * first / second * spread.deviation * sqrt(len(pruned)), spread.freedom)

    def of_run(self, measure: Measure, run: "ClaimRun") -> SeedStd | None:
        """The spread of one run's figure; of a cost, of its logarithm, which is relative to the cost."""
        data = run.recipe.data
        key = (repr(measure), run.protocol, data.name, data.use, run.digest)
        if key not in self._pooled:
            groups = [self._values(measure, run, runs) for runs in self._evidence.over_seeds]
            # A figure that no seed changes, as the cost of a network that is not pruned, tells nothing.
            varying = [values for values in groups if values and max(values) > min(values)]
            self._pooled[key] = pooled(varying)
        return self._pooled[key]

    def _values(self, measure: Measure, like: "ClaimRun", runs: "list[ClaimRun]") -> list[float]:
        values = (
            value(measure, replace(run, protocol=like.protocol))
            for run in runs
            if _same_images(run, like) and run.recipe.seed in self._seeds
        )
        known = [value for value in values if value is not None]
        return [log(value) for value in known if value > 0] if is_cost(measure) else known


def is_cost(measure: Measure) -> bool:
    """Whether it is compared by the percentage saved."""
    return isinstance(measure, FinalMetric) and measure.column.relative == "percent"


def _same_images(one: "ClaimRun", other: "ClaimRun") -> bool:
    data = one.recipe.data
    return (data.name, data.use, one.digest) == (other.recipe.data.name, other.recipe.data.use, other.digest)
