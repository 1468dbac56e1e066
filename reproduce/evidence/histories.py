"""Metrics of runs by epoch, as frames."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from reproduce.evidence.context import RenderContext


History = Mapping[str, list[float | None]]
"""Per metric one value for each epoch, None where it was not measured; `epoch` has their numbers."""


def measured(history: History, key: str) -> list[tuple[int, float]]:
    """Epochs and values of a metric where it was measured."""
    values = zip(history.get("epoch", []), history.get(key, []), strict=False)
    return [(int(epoch), value) for epoch, value in values if epoch is not None and value is not None]


def numbered(material: "RenderContext", metric: str, part: str) -> pd.DataFrame:
    """Metrics that are numbered, as `masked/block_01`: one line per run, seed, number and epoch.

    Args:
        material: runs with their records.
        metric: what stands before the slash.
        part: what stands behind it, before the number; the column of the numbers.
    """
    lines = [
        (requested.label, requested.recipe.seed, int(found[1]), epoch, value)
        for requested in material.requested_runs
        if (record := material.records.get(requested.recipe.run_id))
        for name in record.history
        if (found := re.fullmatch(rf"{metric}/{part}_(\d+)", name))
        for epoch, value in measured(record.history, name)
    ]
    frame = pd.DataFrame(lines, columns=["run", "seed", part, "epoch", "value"])
    return frame.astype({"seed": int, part: int, "epoch": int, "value": float})
