"""Standard deviation of one run's accuracy over numbers of threads."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cdd.files import atomic_write
from reproduce.statistics.intervals import PERCENT, SeedStd, pooled

if TYPE_CHECKING:
    from reproduce.storage.run_record import RunRecord


FILE = "threads.csv"
COLUMNS = ["run_id", "threads", "metric", "value"]


def remember(folder: Path, *records: "RunRecord") -> None:
    """Adds what these records of one run, made with different numbers of threads, say of its accuracy."""
    lines = [
        (record.run_id, record.environment["threads"], name, value)
        for record in records
        if record.environment.get("device") == "cpu" and "threads" in record.environment
        for name, value in record.metrics.items()
        if name.endswith("/mAP")
    ]
    known = _read(folder)
    added = pd.concat([known, pd.DataFrame(lines, columns=COLUMNS)]) if lines else known
    added = added.drop_duplicates(["run_id", "threads", "metric"], keep="last").sort_values(COLUMNS[:3])
    atomic_write(folder / FILE, added.to_csv(index=False, lineterminator="\n"))


def thread_spread(folder: Path) -> tuple[SeedStd, int] | None:
    """The deviation of mAP, in points, and the number of runs that it is pooled over; None without any."""
    groups = [PERCENT * group.value for _, group in _read(folder).groupby(["run_id", "metric"])]
    several = [group.tolist() for group in groups if len(group) > 1]
    spread = pooled(several)
    runs = _read(folder).groupby("run_id").threads.nunique()
    return (spread, int((runs > 1).sum())) if spread else None


def _read(folder: Path) -> pd.DataFrame:
    path = folder / FILE
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
