"""Takes in a finished run that another results folder exported, so that everything here finds it."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import Timeout

from cdd.result import RESULT, WEIGHTS, load_result
from reproduce.errors import UsageError
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import SOURCE, write_record
from reproduce.tracking.snapshot import same_numbers, write_snapshot
from reproduce.tracking.store import FINISHED, IMPORTED, PUBLISHED, Store, StoredRun, open_store
from reproduce.tracking.training_run import TrackedRun
from reproduce.transfer.archive import NETWORKS
from reproduce.transfer.arrived_run import Arrived, arrived_run

State = Literal["imported", "completed", "already there"]
UNPACKING = "importing-"
"""Begins the name of a folder in which a file is unpacked."""


@dataclass(frozen=True)
class Imported:
    """What became of a file.

    Attributes:
        state: completed where the numbers were here, but not the weights.
        said: what was done, in words.
    """

    run_id: str
    label: str
    state: State
    said: tuple[str, ...]


def import_run(path: Path, results: Path) -> Imported:
    """Puts the run of a file into the folder, the records and the store of these results.

    Nothing is placed before all of it is checked, and what fails leaves nothing behind. After an interruption
    the same command goes on.

    Raises:
        UsageError: for a file that cannot be used, and for a run that is here already with other numbers.
        RunError: for a damaged file, a full disk, or a store that does not answer.
    """
    workspace = ResultsFolder(results.resolve())
    made = [folder for folder in (workspace.results, workspace.checkpoints) if not folder.exists()]
    try:
        workspace.check_writable()
        with _unpacking(workspace) as folder:
            arrived = arrived_run(path, folder)
            with _held(workspace, arrived.recipe.run_id):
                return _Import(arrived, workspace).done()
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):  # What is not empty stays.
                folder.rmdir()
        raise


@contextmanager
def _unpacking(workspace: ResultsFolder) -> Iterator[Path]:
    """A folder beside the run's future place, so that it can be moved there in one step; gone afterwards.

    Its name is locked for as long as its process lives, so that a later import knows what a killed one left.
    """
    for left in workspace.checkpoints.glob(f"{UNPACKING}*/"):
        _remove(workspace, left)
    name = f"{UNPACKING}{os.getpid()}-{secrets.token_hex(4)}"
    lock = workspace.lock(name)
    with lock:
        folder = workspace.folder(name)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _remove(workspace: ResultsFolder, left: Path) -> None:
    lock = workspace.lock(left.name)
    with suppress(Timeout), lock.acquire(timeout=0):
        shutil.rmtree(left, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)


@contextmanager
def _held(workspace: ResultsFolder, run_id: str) -> Iterator[None]:
    try:
        held = workspace.lock(run_id).acquire(timeout=0)
    except Timeout:
        raise UsageError(f"run {run_id} is in the hands of another process here: wait for it") from None
    with held:
        yield


@dataclass
class _Import:
    """One run on its way in; its lock is held."""

    arrived: Arrived
    workspace: ResultsFolder
    said: list[str] = field(default_factory=list)

    def done(self) -> Imported:
        """Does what is still to be done, and says it."""
        store = open_store(self.workspace, code_version())
        finished, others = _split(store.trainings().get(self._run_id, []))
        state = self._state(store, finished)
        if state != "already there":
            self._check_folder()
            arrived = self.arrived
            if finished is None:
                self._put(store, others)
            else:
                TrackedRun(store, finished.mlflow_id).complete(arrived.recipe, arrived.result, arrived.folder)
                self.said.append("the tracking store has its networks now")
            self._place()
        self._write_record()
        return Imported(self._run_id, self.arrived.manifest.label, state, tuple(self.said))

    @property
    def _run_id(self) -> str:
        return self.arrived.recipe.run_id

    def _state(self, store: Store, finished: StoredRun | None) -> State:
        if finished is None:
            return "imported"
        same = same_numbers(finished.metrics, self.arrived.result.metrics)
        here = (self.workspace.folder(self._run_id) / WEIGHTS).exists()
        complete = here or store.has_file(finished.mlflow_id, WEIGHTS)
        if not same:
            self.said.append(
                "it was finished here with other numbers, as on another machine or with other threads: those "
                "stay, and nothing of the file was used"
            )
        adds = same and self.arrived.manifest.has_networks and not complete
        return "completed" if adds else "already there"

    def _check_folder(self) -> None:
        folder = self.workspace.folder(self._run_id)
        known = load_result(folder)
        if known and not same_numbers(known.metrics, self.arrived.result.metrics):
            raise UsageError(
                f"run {self._run_id} was trained here, too, with other numbers, and is not in the store yet: "
                f"deliver it with the command that trains it, or move {folder} away"
            )

    def _place(self) -> None:
        """Moves the run's files to where they lie from now on; one without networks leaves no folder."""
        if not self.arrived.manifest.has_networks:
            self.said.append("its weights are not in the file: what needs them trains it anew")
            return
        folder = self.workspace.folder(self._run_id)
        if load_result(folder) and (folder / WEIGHTS).exists():
            return
        aside = self.workspace.set_aside(self._run_id)
        if aside:
            self.said.append(f"what lay in its folder lies in {aside} now")
        own = self.arrived.folder / "placed"
        own.mkdir()
        for name in (RESULT, SOURCE, *NETWORKS):
            if (self.arrived.folder / name).exists():
                shutil.move(self.arrived.folder / name, own / name)
        own.replace(folder)
        self.said.append(f"its weights and result lie in {folder}")

    def _put(self, store: Store, others: list[StoredRun]) -> None:
        manifest = self.arrived.manifest
        marks = {
            "cdd.workplace": self.workspace.name,
            IMPORTED: manifest.origin.model_dump_json(),
            **({PUBLISHED: manifest.published} if manifest.published else {}),
        }
        copy = self.arrived.copy
        marked = copy.model_copy(update={"tags": {**copy.tags, **marks}})
        write_snapshot(store, marked, self.arrived.recipe, self.arrived.result, self.arrived.folder)
        own = [run for run in others if run.tags.get("cdd.workplace") == self.workspace.name]
        store.supersede(own, "imported instead")
        epochs = len(self.arrived.result.history)
        self.said.append(f"the tracking store has it as finished, with {epochs} epochs, marked as imported")

    def _write_record(self) -> None:
        place = self.arrived.manifest.published
        path = self.workspace.results / place / "runs" / f"{self._run_id}.json"
        if not place or path.exists():
            return
        folder, arrived = self.workspace.results / place, self.arrived
        write_record(folder, arrived.recipe, arrived.result, arrived.environment)
        self.said.append(f"its record is {path}")


def _split(runs: list[StoredRun]) -> tuple[StoredRun | None, list[StoredRun]]:
    """The finished run, and those that are not."""
    finished = next((run for run in runs if run.status == FINISHED), None)
    return finished, [run for run in runs if run.status != FINISHED]
