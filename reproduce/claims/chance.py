"""Comparison of a run's accuracy with that of random embeddings on the same queries."""

from collections.abc import Sequence

from experiments.schema.table import Column
from reproduce.evidence.run_lookup import ClaimRun
from reproduce.statistics.intervals import PERCENT, Difference, interval_of
from reproduce.statistics.verdicts import LEAST_SHARE

PRECISION = Column(
    name="mAP", unit="%", metric="{protocol}/mAP", factor=PERCENT, better="higher", relative="difference"
)
TOP_1 = Column(name="top-1", unit="%", metric="top1", factor=PERCENT, better="higher", relative="difference")


def near_chance(runs: Sequence[ClaimRun]) -> str:
    """Why these runs, one per seed, are no evidence; empty where they are, or chance is unknown.

    They are where the interval of their precision lies wholly above what random embeddings give the same
    queries, and above `LEAST_SHARE` of what these leave to be learned.
    """
    found = {run.recipe.seed: each for run in runs if (each := _gain(run))}
    chance = next((run.chance for run in runs if run.chance is not None), None)
    if not found or chance is None:
        return ""
    interval, level = interval_of(found), PERCENT * float(chance.mean())
    needed = LEAST_SHARE * (PERCENT - level)
    if interval.low > needed:
        return ""
    ours, low, high = (level + value for value in (interval.mean, interval.low, interval.high))
    return (
        f"{_column(runs[0]).name} {ours:.2f} % ({low:.2f} to {high:.2f}), while random embeddings give "
        f"{level:.2f} % and {LEAST_SHARE:.0%} of the way from there to perfect rankings is "
        f"{level + needed:.2f} %"
    )


def _gain(run: ClaimRun) -> Difference | None:
    """The precision above chance, in points."""
    column, chance = _column(run), run.chance
    value = run.record.metrics.get(column.metric.format(protocol=run.protocol))
    if value is None or chance is None:
        return None
    mean = column.factor * (value - float(chance.mean()))
    by_query = run.by_query(column)
    if by_query is None or run.identities is None or len(by_query) != len(chance):
        return Difference(mean)
    return Difference(mean, by_query - column.factor * chance, run.identities)


def _column(run: ClaimRun) -> Column:
    return TOP_1 if "top1" in run.record.metrics else PRECISION
