"""The figures by which claims compare runs, from what the runs have measured."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.schema.claim import (
    ChannelsSaved,
    DropAtResetting,
    EarlyMean,
    FinalMetric,
    Measure,
    RecoveryAfterResetting,
    SelfRetrievalRate,
)
from experiments.schema.table import Column
from reproduce.evidence.histories import measured
from reproduce.statistics.intervals import PERCENT, Difference

if TYPE_CHECKING:
    from reproduce.evidence.run_lookup import ClaimRun


def difference(measure: Measure, of: "ClaimRun", than: "ClaimRun | None") -> Difference | None:
    """First minus second, or the percentage of a cost that the first saves; None where not measured."""
    if isinstance(measure, ChannelsSaved):
        return _channels_saved(measure, of, than)
    first, second = value(measure, of), value(measure, than) if than else None
    if first is None or (than and second is None):
        return None
    if second is None:
        return Difference(first, *_single(measure, of))
    if isinstance(measure, FinalMetric) and measure.column.relative == "percent":
        return Difference(PERCENT * (1 - first / second))
    return Difference(first - second, *_paired(measure, of, than))


def differences(
    measure: Measure, sides: "Mapping[int, tuple[ClaimRun, ClaimRun | None]]"
) -> dict[int, Difference]:
    """By seed, where both runs have the figure and were judged on the same data."""
    found = {
        seed: difference(measure, of, than)
        for seed, (of, than) in sides.items()
        if than is None or of.digest == than.digest
    }
    return {seed: value for seed, value in found.items() if value}


def value(measure: Measure, run: "ClaimRun | None") -> float | None:
    """A run's own figure in the measure's unit; None where it was not measured, or takes two runs."""
    return FIGURES[type(measure)](measure, run) if run else None


def _final(measure: FinalMetric, run: "ClaimRun") -> float | None:
    """Of the deployed network, or, where that has none, of the training's last epoch."""
    metric = measure.column.metric.format(protocol=run.protocol)
    if metric in run.record.metrics:
        return run.record.metrics[metric] * measure.column.factor
    course = _course(measure.column, run)
    return course[-1][1] if course else None


def _course(column: Column, run: "ClaimRun") -> list[tuple[int, float]]:
    found = measured(run.record.history, column.metric.format(protocol=run.protocol))
    return [(epoch, value * column.factor) for epoch, value in found]


def _early_mean(measure: EarlyMean, run: "ClaimRun") -> float | None:
    last = round(measure.share * run.recipe.schedule.epochs)
    early = [value for epoch, value in _course(measure.column, run) if epoch <= last]
    # Where not every epoch was evaluated there is no mean to compare.
    return float(np.mean(early)) if len(early) == last > 0 else None


def _around_start(
    measure: DropAtResetting | RecoveryAfterResetting, run: "ClaimRun"
) -> tuple[float, float, float] | None:
    """Accuracy before the resetting starts, on average shortly afterwards, and at the end."""
    resetting = getattr(run.recipe.method, "resetting", None)
    if resetting is None:
        return None
    start, epochs = resetting.after_epoch, run.recipe.schedule.epochs
    length = max(1, round(measure.share * epochs))
    course = dict(_course(measure.column, run))
    needed = range(start, start + length + 1)
    if any(epoch not in course for epoch in (*needed, epochs)):
        return None
    return course[start], float(np.mean([course[epoch] for epoch in needed[1:]])), course[epochs]


def _dip(measure: DropAtResetting, run: "ClaimRun") -> float | None:
    found = _around_start(measure, run)
    return found and found[0] - found[1]


def _recovery(measure: RecoveryAfterResetting, run: "ClaimRun") -> float | None:
    found = _around_start(measure, run)
    return found and found[2] - found[1]


def _channels_saved(measure: ChannelsSaved, of: "ClaimRun", than: "ClaimRun | None") -> Difference | None:
    first, second = of.record.channels, than.record.channels if than else None
    if not first or not second:
        return None
    if measure.block is not None:
        first, second = [first[measure.block]], [second[measure.block]]
    return Difference(PERCENT * (1 - sum(first) / sum(second)))


def _finds_itself(measure: SelfRetrievalRate, run: "ClaimRun") -> float | None:
    found = _own_first(run)
    return None if found is None else float(PERCENT * found["own"].mean())


def _own_first(run: "ClaimRun") -> pd.DataFrame | None:
    """Of every query of the drawn gallery, whether it finds itself first, and its class."""
    for path in sorted(run.figures.glob("*.csv")):
        if not _is_gallery(path):
            continue
        frame = pd.read_csv(path, dtype={"run_id": str})
        first = frame[(frame["run_id"] == run.record.run_id) & (frame["rank"] == 1)]
        if len(first):
            return pd.DataFrame({"own": first["image"] == first["query"], "class": first["query_class"]})
    return None


def _is_gallery(path: Path) -> bool:
    return {"run_id", "query", "rank", "image", "query_class"} <= set(pd.read_csv(path, nrows=0).columns)


def _paired(
    measure: Measure, of: "ClaimRun", than: "ClaimRun | None"
) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    if not isinstance(measure, FinalMetric) or than is None:
        return None, None
    first, second = of.by_query(measure.column), than.by_query(measure.column)
    if first is None or second is None or of.identities is None or len(first) != len(second):
        return None, None
    return first - second, of.identities


def _single(measure: Measure, of: "ClaimRun") -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    if not isinstance(measure, SelfRetrievalRate) or (found := _own_first(of)) is None:
        return None, None
    return PERCENT * found["own"].to_numpy(float), found["class"].to_numpy(np.int64)


FIGURES: "Mapping[type, Callable[[Any, ClaimRun], float | None]]" = {
    FinalMetric: _final,
    EarlyMean: _early_mean,
    DropAtResetting: _dip,
    RecoveryAfterResetting: _recovery,
    ChannelsSaved: lambda measure, run: None,
    SelfRetrievalRate: _finds_itself,
}
