"""One line of the benchmark: our time, a baseline's and the limit it stands against, from one run."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Line:
    """Times in seconds; None where there is nothing to compare with.

    Attributes:
        name: what is done, and at which size.
        ours: None where the machine lacks what it takes.
        baseline: the straightforward way to the same result.
        limit: what the machine needs at least.
        peak_bytes: most memory above what was there before; None where it is not measured.
        details: further figures, with their unit in the name.
    """

    name: str
    ours: float | None
    baseline: float | None = None
    baseline_name: str = ""
    limit: float | None = None
    limit_name: str = ""
    peak_bytes: int | None = None
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def speedup(self) -> float | None:
        """How many times as fast as the baseline."""
        return None if self.baseline is None or self.ours is None else self.baseline / self.ours

    @property
    def times_limit(self) -> float | None:
        """How many times the limit."""
        return None if self.limit is None or self.ours is None else self.ours / self.limit

    def as_plain(self) -> dict[str, Any]:
        """The line as plain values, ratios included."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return {**values, "speedup": self.speedup, "times_limit": self.times_limit}


def best_of(times: int, action: Callable[[], object]) -> float:
    """Seconds of the fastest of so many calls: what disturbs a call only makes it slower."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return min(found)
