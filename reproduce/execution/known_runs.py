"""Finished runs of one folder of records: one answer per run id, whichever verb asks.

The tracking store is the store of record. Where a record tells other numbers of a run, it is written anew
from the store's result, and the difference is said; where the store does not have the result, the record
is what is shown, and that is said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdd.recipe import Recipe
from cdd.result import RESULT, Result, load_result
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import Outcome
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import RunRecord, read_record, write_record
from reproduce.tracking.store import FINISHED, Store

TOLERANCE = 1e-5
"""Relative difference of one number in the store and in a record, which has six digits."""
NOT_COMPARED = frozenset({"seconds"})


@dataclass(frozen=True)
class KnownRuns:
    """The runs of a folder.

    Attributes:
        folder: of a scale or a set of overrides; records lie in `runs` below it.
    """

    workspace: ResultsFolder
    folder: Path
    listener: Listener

    def outcomes(
        self,
        recipes: Iterable[Recipe],
        stored: Mapping[str, Outcome] | None = None,
        store: Store | None = None,
    ) -> dict[str, Outcome]:
        """What is known of these runs, by run id; records that are missing or differ are written.

        Args:
            recipes: the runs.
            stored: what the store knows, by run id.
            store: where whole results are fetched from.

        Raises:
            ValueError: for a damaged record.
            StoreError: if the store does not answer.
        """
        stored = stored or {}
        distinct = {recipe.run_id: recipe for recipe in recipes}
        found = (
            (run_id, self.settled(recipe, stored.get(run_id), store)) for run_id, recipe in distinct.items()
        )
        return {run_id: outcome for run_id, outcome in found if outcome}

    def settled(self, recipe: Recipe, stored: Outcome | None, store: Store | None) -> Outcome | None:
        """The one outcome of a run that every verb shows; None for an unknown run."""
        path = self.folder / "runs" / f"{recipe.run_id}.json"
        record = read_record(path) if path.exists() else None
        if stored is None or stored.state not in ("finished", "reused"):
            return _recorded(record) if record else stored
        if record and not differing(record.metrics, stored.metrics):
            return stored
        result = self._result(recipe.run_id, stored, store)
        if result:
            write_record(self.folder, recipe, result, stored.environment)
        if record:
            self.listener.warned(_contradiction(record, stored, shows_store=result is not None))
        return stored if result or not record else _recorded(record)

    def _result(self, run_id: str, stored: Outcome, store: Store | None) -> Result | None:
        """The whole result with the store's numbers, from the run's folder or from the store."""
        local = load_result(self.workspace.folder(run_id))
        if local and not differing(local.metrics, stored.metrics):
            return local
        for run in store.trainings().get(run_id, []) if store else []:
            path = (
                run.status == FINISHED
                and store
                and store.download(run.mlflow_id, RESULT, self.workspace.checkpoints / "fetched")
            )
            if path:
                fetched = load_result(path.parent)
                path.unlink()
                return fetched
        return None


def differing(first: Mapping[str, float], second: Mapping[str, float]) -> list[str]:
    """Names of the metrics that both have with different values; the time taken is none of them."""
    common = (first.keys() & second.keys()) - NOT_COMPARED
    return sorted(
        name for name in common if abs(first[name] - second[name]) > TOLERANCE * max(1e-9, abs(first[name]))
    )


def made_where(environment: Mapping[str, Any]) -> str:
    """Processor or GPU, threads and commit of a run, where it says them."""
    threads, commit = environment.get("threads"), environment.get("git_commit")
    parts = [
        str(environment.get("device_name") or environment.get("device") or "unknown machine"),
        f"{threads} thread{'' if threads == 1 else 's'}" if threads else "",
        f"commit {str(commit)[:10]}" if commit else "",
    ]
    return ", ".join(filter(None, parts))


def _recorded(record: RunRecord) -> Outcome:
    return Outcome(state="finished", metrics=record.metrics, environment=record.environment)


def _contradiction(record: RunRecord, stored: Outcome, *, shows_store: bool) -> str:
    names = differing(record.metrics, stored.metrics)
    name = next((name for name in names if name.endswith("/mAP")), names[0])
    shown = (
        "Shown: the store's; the record was written anew."
        if shows_store
        else ("Shown: the record's, because the store does not have the whole result.")
    )
    return (
        f"run {record.run_id} has two results: {name} is {stored.metrics[name]:.6g} in the tracking store "
        f"({made_where(stored.environment)}) and {record.metrics[name]:.6g} in its record "
        f"({made_where(record.environment)}). {shown}"
    )
