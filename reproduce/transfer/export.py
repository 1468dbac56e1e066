"""Puts a finished run into one file that a results folder elsewhere can take in."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdd.files import atomic_write, replacing
from cdd.result import DEPLOYED, DISTILLER, RESULT, WEIGHTS, Result, load_result
from reproduce.errors import UsageError
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import SOURCE, full_environment, read_record, rounded
from reproduce.tracking.finished_runs import FinishedRun, FinishedRuns
from reproduce.tracking.snapshot import read_snapshot, same_numbers
from reproduce.tracking.store import Store, StoredRun
from reproduce.transfer.archive import RECIPE, Manifest, Origin, check_network, pack

COMMIT = "git_commit"


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What the command line asked for.

    Attributes:
        run: a run id, or as much of its beginning as only one run has.
        out: the file to write; None for one named after the run, in the working directory.
        with_weights: without them, the file carries numbers only.
    """

    run: str
    out: Path | None = None
    with_weights: bool = True
    results: Path = Path("results")


@dataclass(frozen=True)
class Exported:
    """The file that was written, what it says of itself, and what else is to be said of it."""

    path: Path
    manifest: Manifest
    said: tuple[str, ...] = ()


def export_run(request: ExportRequest) -> Exported:
    """Writes the run's file: its networks, and the numbers and the environment that belong to them.

    Raises:
        UsageError: for a run that is unknown, not finished or of which only the numbers are known, and for a
            file that exists already.
        RunError: for a damaged file of the run, a full disk, or a store that does not answer.
    """
    workspace = ResultsFolder(request.results.resolve())
    runs = FinishedRuns(workspace, code_version())
    run = runs.find(request.run)
    path = request.out or Path(f"run-{run.run_id}.zip")
    _check_writable(path)
    with tempfile.TemporaryDirectory() as place:
        gathered = _Gathered(runs, run, Path(place))
        gathered.gather(_files(run, with_weights=request.with_weights))
        found = gathered.tracked()
        if found:
            read_snapshot(*found).save(gathered.folder)
        manifest = Manifest(
            run_id=run.run_id,
            label=run.label,
            published=_below(run.published, workspace),
            origin=Origin(workplace=workspace.name, mlflow_id=found[1].mlflow_id if found else None),
        )
        return Exported(path, pack(manifest, gathered.folder, path), tuple(gathered.said))


class _Gathered:
    """The files of one training of a run: all from its folder here, or all from the store."""

    def __init__(self, runs: FinishedRuns, run: FinishedRun, folder: Path):
        self.runs, self.run, self.folder = runs, run, folder
        self.said: list[str] = []
        self.result: Result | None = None
        self.environment: Mapping[str, Any] = {}

    def gather(self, names: list[str]) -> None:
        """Copies the files, each whole, and writes beside them recipe and environment."""
        here = self.runs.are_here(self.run, names)
        read = self.runs.read if here else self.runs.read_stored
        for name in names:
            read(self.run, name, self._copied)
        self.result = load_result(self.folder)
        if self.result is None or self.result.run_id != self.run.run_id:
            raise UsageError(
                f"the {RESULT} of run {self.run.run_id} is another run's: train it again before it is "
                "exported"
            )
        origin = self.runs.workspace.folder(self.run.run_id) if here else "the tracking store"
        self.environment = self._made_with(self.result, here=here)
        self._compare_record(self.result, str(origin))
        atomic_write(self.folder / RECIPE, json.dumps(self.run.recipe.to_json(), indent=2))
        atomic_write(self.folder / SOURCE, json.dumps(self.environment))

    def _copied(self, path: Path) -> None:
        check_network(path, self.run.recipe)
        with replacing(self.folder / path.name) as partial:
            shutil.copyfile(path, partial)

    def _made_with(self, result: Result, *, here: bool) -> dict[str, Any]:
        """What this training was made with, however many others the run id has."""
        if here:
            found = full_environment(self.runs.workspace.folder(self.run.run_id), result)
            if COMMIT in found or not same_numbers(rounded(result.metrics), self.run.metrics):
                return found
            return {**self.run.environment, **found}
        stored = self.runs.in_store(self.run.run_id)
        return {**(stored[1].environment if stored else {}), **result.environment}

    def _compare_record(self, result: Result, origin: str) -> None:
        path = self.run.published / "runs" / f"{self.run.run_id}.json"
        record = read_record(path) if path.exists() else None
        if record is None:
            return
        alike = same_numbers(rounded(result.metrics), record.metrics)
        made = (self.environment, record.environment)
        ours, other = (str(each.get(COMMIT, "unknown")) for each in made)
        if not alike or ours != other:
            self.said.append(
                f"the record {path} (commit {other[:12]}) is of another training of this run: packed is that "
                f"of {origin} (commit {ours[:12]}), with its own numbers"
            )

    def tracked(self) -> tuple[Store, StoredRun] | None:
        """The store's run of this very training."""
        found = self.runs.in_store(self.run.run_id)
        if found is None or self.result is None:
            return None
        alike = same_numbers(found[1].metrics, self.result.metrics)
        if alike and found[1].environment.get(COMMIT) == self.environment.get(COMMIT):
            return found
        self.said.append(
            "the tracking store has another training of this run: its curves and times are not packed"
        )
        return None


def _files(run: FinishedRun, *, with_weights: bool) -> list[str]:
    learnt = [DISTILLER] if run.recipe.method.preparation is not None else []
    return [RESULT, *([WEIGHTS, DEPLOYED, *learnt] if with_weights else [])]


def _below(published: Path, workspace: ResultsFolder) -> str:
    place = published.relative_to(workspace.results).as_posix()
    return "" if place == "." else place


def _check_writable(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists already: name another file with --out, or delete it")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder: make it, or name another file with --out")
