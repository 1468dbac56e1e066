"""Runs carried from one results folder to another, by the commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdd.recipe import Recipe
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking import connection
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE
from tests.reproduce.said import Said


def exported(results: Path, recipe: Recipe, *words: str) -> Path:
    path = results.parent / f"{recipe.run_id}{len(words)}.zip"
    path.unlink(missing_ok=True)
    said = Said("export-run", recipe.run_id, "--out", path, "--results", results, "--format", "json", *words)
    assert said.json["run_id"] == recipe.run_id
    assert said.json["bytes"] == path.stat().st_size
    return path


def imported(results: Path, path: Path) -> dict[str, Any]:
    found = Said("import-run", path, "--results", results, "--format", "json").json
    assert isinstance(found, dict)
    return found


def store_of(results: Path) -> Store:
    workspace = ResultsFolder(results.resolve())
    return Store(connection.tracking_uri(workspace.results), workspace, CODE)


def states(session: Callable[..., ArtifactPipeline], results: Path) -> dict[str, tuple[str, str]]:
    """What a plan says of every run."""
    plan = session(results=results).plan()
    return {item.run_id: (item.state, item.reason) for item in plan.items}


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(results: Path, path: Path, *parts: str, code: int = 1) -> None:
    """The command ends with one message and leaves no trace."""
    before = everything_in(results)
    said = Said("import-run", path, "--results", results)
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err
    after = {name: content for name, content in everything_in(results).items() if ".lock" not in name}
    assert {name for name in after if "mlflow.db" not in name} <= set(before)
