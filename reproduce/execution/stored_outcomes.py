"""What became of the runs that a store has."""

from reproduce.execution.executor import Outcome, reused
from reproduce.tracking.store import FAILED, FINISHED, Store


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
