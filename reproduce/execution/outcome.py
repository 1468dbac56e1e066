"""Outcome of a run, outcomes of the runs in a store, and a counter of runs."""

from dataclasses import dataclass, field
from typing import Any

from reproduce.tracking.store import FAILED, FINISHED, Store, StoredRun


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a run: finished, reused, failed, skipped, undelivered or pruned, and why."""

    state: str
    message: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether the run has numbers and weights."""
        return self.state in ("finished", "reused", "undelivered")

    @property
    def words(self) -> str:
        """The state, and why."""
        return f"{self.state}: {self.message}" if self.message else self.state


def reused(stored: StoredRun) -> Outcome:
    """The outcome of a run that was finished before."""
    return Outcome(state="reused", metrics=dict(stored.metrics), environment=dict(stored.environment))


def stored_outcomes(store: Store | None) -> dict[str, Outcome]:
    """What the store knows of every run: finished, or failed."""
    found: dict[str, Outcome] = {}
    for run_id, runs in (store.trainings() if store else {}).items():
        finished = next((run for run in runs if run.status == FINISHED), None)
        if finished:
            found[run_id] = reused(finished)
        elif runs[0].status == FAILED:
            found[run_id] = Outcome(state="failed", message=runs[0].tags.get("cdd.message", ""))
    return found


@dataclass
class RunCounter:
    """Numbers runs in the order in which they begin; a run that begins again keeps its number.

    Attributes:
        runs: how many are expected to begin; that more do is no error.
    """

    runs: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)

    def place(self, run_id: str) -> tuple[int, int]:
        """The run's number from 1, and how many there are."""
        number = self._numbers.setdefault(run_id, len(self._numbers) + 1)
        return number, max(self.runs, number)
