"""Puts a finished run into one file that a results folder elsewhere can take in."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cdd.run import DEPLOYED, DISTILLER, RESULT, WEIGHTS, load_result
from reproduce.errors import UsageError
from reproduce.finished_run import FinishedRun, FinishedRuns
from reproduce.records import SOURCE
from reproduce.run_archive import RECIPE, Manifest, Origin, pack
from reproduce.source import source
from reproduce.tracked_copy import take
from reproduce.workspace import Workspace


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
    """The file that was written, and what it says of itself."""

    path: Path
    manifest: Manifest


def export_run(request: ExportRequest) -> Exported:
    """Writes the run's file, from its folder and record or from the store.

    Raises:
        UsageError: for a run that is unknown, not finished or of which only the numbers are known, and for a
            file that exists already.
        RunError: for a damaged file of the run, or a store that does not answer.
    """
    workspace = Workspace(request.results.resolve())
    runs = FinishedRuns(workspace, source())
    run = runs.find(request.run)
    path = request.out or Path(f"run-{run.run_id}.zip")
    _check_writable(path)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _gather(runs, run, folder, _files(run, with_weights=request.with_weights))
        found = runs.in_store(run.run_id)
        if found:
            take(*found).save(folder)
        manifest = Manifest(
            run_id=run.run_id,
            label=run.label,
            published=_below(run.published, workspace),
            origin=Origin(workplace=workspace.name, mlflow_id=found[1].mlflow_id if found else None),
        )
        return Exported(path, pack(manifest, folder, path))


def _files(run: FinishedRun, *, with_weights: bool) -> list[str]:
    learnt = [DISTILLER] if run.recipe.method.preparation is not None else []
    return [RESULT, *([WEIGHTS, DEPLOYED, *learnt] if with_weights else [])]


def _gather(runs: FinishedRuns, run: FinishedRun, folder: Path, names: list[str]) -> None:
    """Copies the run's files into the folder, and writes beside them its recipe and what it was made with."""
    for name in names:
        runs.read(run, name, lambda path: shutil.copy(path, folder))
    result = load_result(folder)
    if result is None or result.run_id != run.run_id:
        raise UsageError(
            f"the {RESULT} of run {run.run_id} is another run's: train it again before it is exported"
        )
    (folder / RECIPE).write_text(json.dumps(run.recipe.to_json(), indent=2), encoding="utf-8")
    (folder / SOURCE).write_text(json.dumps({**run.environment, **result.environment}), encoding="utf-8")


def _below(published: Path, workspace: Workspace) -> str:
    place = published.relative_to(workspace.results).as_posix()
    return "" if place == "." else place


def _check_writable(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists already: name another file with --out, or delete it")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder: make it, or name another file with --out")
