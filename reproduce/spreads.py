"""How far runs of a scale lie apart over seeds: what a comparison of one seed borrows from others."""

from collections.abc import Iterable, Sequence
from math import log, sqrt

from reproduce.claim import Final, Measure, PublishedClaim, RunOf
from reproduce.evidence import Evidence, RunEvidence
from reproduce.measurement import figure, metric
from reproduce.paired_bootstrap import Spread, pooled

PERCENT = 100.0
Key = tuple[type, str]


class Spreads:
    """Deviations over seeds, pooled over all runs of the claims that have several, by measure and metric.

    Runs are not paired here, so a difference of two has the square root of 2 times the deviation of one;
    runs of one seed share what they start from, so that this is rather too much than too little.
    """

    def __init__(self, claims: Iterable[PublishedClaim], evidence: Evidence, seeds: Sequence[int]):
        groups: dict[Key, dict[str, list[float]]] = {}
        for measure, run in _sides(claims):
            found = [each for seed in seeds if (each := evidence.of(run, seed))]
            values = [value for each in found if (value := _value(measure, each)) is not None]
            if len(values) > 1:
                groups.setdefault(_key(measure, found[0]), {})[found[0].record.run_id] = values
        self._pooled = {key: pooled(_varying(list(runs.values()))) for key, runs in groups.items()}

    def of(self, measure: Measure, of: RunEvidence, than: RunEvidence | None) -> Spread | None:
        """The spread of a difference, or of one run's figure; None where no such run has several seeds."""
        spread = self._pooled.get(_key(measure, of))
        if spread is None:
            return None
        if not _is_cost(measure):
            return Spread(spread.deviation * sqrt(2), spread.freedom) if than else spread
        pruned = [run for run in (of, than) if run and run.record.channels]
        first, second = figure(measure, of), figure(measure, than)
        if not pruned or first is None or second is None:
            return None
        return Spread(PERCENT * first / second * spread.deviation * sqrt(len(pruned)), spread.freedom)


def _sides(claims: Iterable[PublishedClaim]) -> Iterable[tuple[Measure, RunOf]]:
    return (
        (claim.measure, run) for claim in claims if claim.measure for pair in claim.pairs for run in pair.runs
    )


def _key(measure: Measure, run: RunEvidence) -> Key:
    return type(measure), metric(measure, run.protocol) or ""


def _is_cost(measure: Measure) -> bool:
    return isinstance(measure, Final) and measure.column.relative == "percent"


def _value(measure: Measure, run: RunEvidence) -> float | None:
    """An accuracy as it is, a cost by its logarithm, whose deviation is relative to the cost."""
    value = figure(measure, run)
    return log(value) if value and _is_cost(measure) else value


def _varying(groups: list[list[float]]) -> list[list[float]]:
    """Without runs whose figure no seed changes: networks that are not pruned, or lose nothing."""
    return [values for values in groups if max(values) > min(values)]
