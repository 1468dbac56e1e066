"""Takes in a finished run that another results folder exported, so that everything here finds it."""

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import Timeout
from pydantic import ValidationError

from cdd.errors import RunError
from cdd.recipe import Recipe
from cdd.run import RESULT, WEIGHTS, Result, load_result
from reproduce.errors import UsageError
from reproduce.records import SOURCE, full_environment, write_record
from reproduce.run_archive import NETWORKS, RECIPE, Manifest, unpack
from reproduce.source import source
from reproduce.tracked_copy import Snapshot, put
from reproduce.tracked_run import TrackedRun
from reproduce.tracking import FINISHED, IMPORTED, PUBLISHED, Store, StoredRun, open_store
from reproduce.workspace import Workspace

State = Literal["imported", "completed", "already there"]


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


@dataclass(frozen=True, kw_only=True)
class _Arrived:
    """What a file holds, checked: its parts are of one run, and the run is its recipe's."""

    manifest: Manifest
    recipe: Recipe
    result: Result
    environment: dict[str, Any]
    copy: Snapshot
    folder: Path


def import_run(path: Path, results: Path) -> Imported:
    """Puts the run of a file into the folder, the records and the store of these results.

    Nothing is placed before all of it is checked. After an interruption the same command goes on.

    Raises:
        UsageError: for a file that cannot be used, and for a run that is here already with other numbers.
        RunError: for a damaged file, or a store that does not answer.
    """
    workspace = Workspace(results.resolve())
    workspace.check_writable()
    workspace.checkpoints.mkdir(parents=True, exist_ok=True)
    # Beside its future place, so that it can be moved there in one step.
    with tempfile.TemporaryDirectory(dir=workspace.checkpoints, prefix="importing-") as place:
        folder = Path(place)
        arrived = _arrived(unpack(path, folder), folder, path)
        lock = workspace.lock(arrived.recipe.run_id)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"run {arrived.recipe.run_id} is in the hands of another process here: wait for it"
            ) from None
        try:
            return _Import(arrived, workspace).done()
        finally:
            lock.release()


def _arrived(manifest: Manifest, folder: Path, path: Path) -> _Arrived:
    try:
        recipe = Recipe.from_json(json.loads((folder / RECIPE).read_text(encoding="utf-8")))
        result, copy = load_result(folder), Snapshot.load(folder)
        environment = full_environment(folder, result) if result else {}
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = str(error).splitlines()[0]
        raise RunError(
            f"{path} holds what this version cannot read: {text}. Import it with the version that wrote it"
        ) from error
    if result is None or {manifest.run_id, recipe.run_id, result.run_id} != {manifest.run_id}:
        raise RunError(
            f"{path} calls itself run {manifest.run_id}, but its recipe is that of run {recipe.run_id} and "
            f"its numbers are run {result.run_id if result else None}'s: it was put together by hand, or "
            "written by a version with other defaults. Export the run again with this version"
        )
    scale = manifest.published.partition("/")[0]
    fallback = f"imported-{scale or 'runs'}"
    empty = Snapshot(name=manifest.label, experiment=fallback, started=None, ended=None, tags={}, metrics={})
    return _Arrived(
        manifest=manifest,
        recipe=recipe,
        result=result,
        environment=environment,
        copy=copy or empty,
        folder=folder,
    )


@dataclass
class _Import:
    """One run on its way in; its lock is held."""

    arrived: _Arrived
    workspace: Workspace
    said: list[str] = field(default_factory=list)

    def done(self) -> Imported:
        """Does what is still to be done, and says it."""
        store = open_store(self.workspace, source())
        finished, others = _split(store.trainings().get(self._run_id, []))
        state = self._state(store, finished)
        if state != "already there":
            folder = self._folder()
            if finished is None:
                self._put(store, others, folder)
            else:
                TrackedRun(store, finished.mlflow_id).complete(
                    self.arrived.recipe, self.arrived.result, folder
                )
                self.said.append("the tracking store has its networks now")
        self._write_record()
        return Imported(self._run_id, self.arrived.manifest.label, state, tuple(self.said))

    @property
    def _run_id(self) -> str:
        return self.arrived.recipe.run_id

    def _state(self, store: Store, finished: StoredRun | None) -> State:
        if finished is None:
            return "imported"
        same = _numbers(finished.metrics) == _numbers(self.arrived.result.metrics)
        here = (self.workspace.folder(self._run_id) / WEIGHTS).exists()
        complete = here or store.has_file(finished.mlflow_id, WEIGHTS)
        if not same:
            self.said.append(
                "it was finished here with other numbers, as on another machine or with other threads: those "
                "stay, and nothing of the file was used"
            )
        adds = same and self.arrived.manifest.has_networks and not complete
        return "completed" if adds else "already there"

    def _folder(self) -> Path:
        """Where the run's files lie from now on; a file without networks leaves no folder behind."""
        if not self.arrived.manifest.has_networks:
            self.said.append("its weights are not in the file: what needs them trains it anew")
            return self.arrived.folder
        folder = self.workspace.folder(self._run_id)
        known = load_result(folder)
        if known and _numbers(known.metrics) != _numbers(self.arrived.result.metrics):
            raise UsageError(
                f"run {self._run_id} was trained here, too, with other numbers, and is not in the store yet: "
                f"deliver it with the command that trains it, or move {folder} away"
            )
        if known and (folder / WEIGHTS).exists():
            return folder  # An import that could not reach the store has put them there.
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
        return folder

    def _put(self, store: Store, others: list[StoredRun], folder: Path) -> None:
        manifest = self.arrived.manifest
        own = [run for run in others if run.tags.get("cdd.workplace") == self.workspace.name]
        store.supersede(own, "imported instead")
        marks = {
            "cdd.workplace": self.workspace.name,
            IMPORTED: manifest.origin.model_dump_json(),
            **({PUBLISHED: manifest.published} if manifest.published else {}),
        }
        copy = self.arrived.copy
        marked = copy.model_copy(update={"tags": {**copy.tags, **marks}})
        put(store, marked, self.arrived.recipe, self.arrived.result, folder)
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


def _numbers(metrics: object) -> dict[str, float]:
    """As both a store and a file give them back."""
    return {name: float(f"{value:.9g}") for name, value in dict(metrics).items()}  # type: ignore[call-overload]
