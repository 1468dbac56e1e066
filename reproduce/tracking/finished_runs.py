"""A finished run by its id: recipe and numbers from its record or the store, and its deployed network."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from cdd.errors import DataError, RunError
from cdd.files import read_json
from cdd.models.deployed import Embedder, load_deployed_network
from cdd.recipe import Recipe
from cdd.result import DEPLOYED, RESULT
from experiments import registry
from experiments.schema.scale import SCALES, Scale
from experiments.schema.table import Table
from reproduce.errors import UsageError
from reproduce.storage.provenance import CodeVersion
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import read_record, record_files
from reproduce.tracking.connection import store_errors
from reproduce.tracking.run_ids import only_run
from reproduce.tracking.store import FINISHED, PUBLISHED, Store, StoredRun, existing_store

Content = TypeVar("Content")
NO_RECIPE = (ValueError, TypeError, AttributeError, KeyError, ImportError, RecursionError)
"""What a recipe raises that was written by another version, or by hand."""


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """What is known of a run, without its network.

    Attributes:
        metrics: of the deployed network; fractions.
        environment: what it was made with, the digest of its data among it.
        scale: None where neither a record nor the store says it.
        published: folder of the user's tables and figures of its scale or study; her records lie there, too.
    """

    run_id: str
    recipe: Recipe
    metrics: Mapping[str, float]
    environment: Mapping[str, Any]
    scale: Scale | None
    published: Path

    @cached_property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Label and artifact of all that show it, tables first; none for a run with other settings."""
        if self.scale is None:
            return ()
        artifacts = [registry.find(summary.name) for summary in registry.summaries()]
        artifacts.sort(key=lambda artifact: not isinstance(artifact, Table))
        rows = [
            (label, artifact.name)
            for artifact in artifacts
            for label, _, recipe in artifact.recipes(self.scale, self.recipe.seed)
            if recipe.run_id == self.run_id
        ]
        return tuple(dict.fromkeys(rows))

    @property
    def label(self) -> str:
        """What most of them call it; the name of its method where there are none."""
        names = Counter(label for label, _ in self.rows).most_common(1)
        return names[0][0] if names else type(self.recipe.method).__name__


class FinishedRuns:
    """The runs of a results folder and its store, which is opened only where the folder does not suffice."""

    def __init__(self, workspace: ResultsFolder, code: CodeVersion):
        self.workspace, self._code = workspace, code

    def find(self, text: str) -> FinishedRun:
        """The run of this id, or of the only id that begins with the text.

        Raises:
            UsageError: for no such run or several, and for one that has not finished.
            StoreError: if the store does not answer.
        """
        known = self._records if text in self._records else {*self._records, *self._trainings}
        run_id = only_run(text, known, self.workspace.results)
        if run_id in self._records:
            return _recorded(run_id, self._records[run_id], self.workspace)
        found = self.in_store(run_id)
        if found is None:
            raise self._unfinished(run_id)
        return _stored(*found)

    def network(self, run: FinishedRun) -> Embedder:
        """The run's deployed network.

        Raises: as `read`.
        """
        return self.read(run, DEPLOYED, _loaded)

    def read(self, run: FinishedRun, name: str, reader: Callable[[Path], Content]) -> Content:
        """What a file of the run holds; it is fetched from the store where the run's folder is gone.

        Raises:
            UsageError: if it is nowhere, or is being trained anew.
            RunError: if its file is damaged.
            StoreError: if the store does not answer.
        """
        if self.are_here(run, (name,)):
            return reader(self.workspace.folder(run.run_id) / name)
        return self.read_stored(run, name, reader)

    def are_here(self, run: FinishedRun, names: Iterable[str]) -> bool:
        """Whether the run's folder has its result and these files."""
        folder = self.workspace.folder(run.run_id)
        return all((folder / name).exists() for name in (RESULT, *names))

    def read_stored(self, run: FinishedRun, name: str, reader: Callable[[Path], Content]) -> Content:
        """What a file of the run holds in the store.

        Raises: as `read`.
        """
        folder, found = self.workspace.folder(run.run_id), self.in_store(run.run_id)
        if found is None and run.run_id in self._trainings:
            raise self._unfinished(run.run_id)
        with tempfile.TemporaryDirectory() as place:
            fetched = found and found[0].download(found[1].mlflow_id, name, Path(place))
            try:
                if fetched:
                    return reader(fetched)
            except DataError as error:
                text = str(error).replace(f"{place}/", "")
                raise RunError(
                    f"of run {run.run_id} in the tracking store: {text} That copy cannot be mended: train "
                    "the run again"
                ) from error
        artifacts = ", ".join(dict.fromkeys(artifact for _, artifact in run.rows))
        again = f"an artifact that shows it ({artifacts})" if artifacts else "the command that made it"
        raise UsageError(
            f"only the numbers of run {run.run_id} are known: its file {name} is neither in {folder} "
            "nor in the tracking store. Bring that folder or the store here, or train the run again with "
            f"{again}"
        )

    @cached_property
    def _records(self) -> dict[str, Path]:
        """The user's records before the committed ones."""
        return {**record_files(self.workspace.reference), **record_files(self.workspace.results)}

    @cached_property
    def _store(self) -> Store | None:
        return existing_store(self.workspace, self._code)

    @cached_property
    def _trainings(self) -> dict[str, list[StoredRun]]:
        return self._store.trainings() if self._store else {}

    def in_store(self, run_id: str) -> tuple[Store, StoredRun] | None:
        """The store and its finished run of this id."""
        runs = (run for run in self._trainings.get(run_id, []) if run.status == FINISHED)
        found = next(runs, None)
        return (self._store, found) if self._store and found else None

    def _unfinished(self, run_id: str) -> UsageError:
        newest = self._trainings[run_id][0]
        name = newest.tags.get("mlflow.runName", "without a name")
        return UsageError(
            f"run {run_id} ({name}) has not finished: the store has {newest.epochs} epochs of it, state "
            f"{newest.status}. Give the command that trains it again, which goes on where it stopped, or "
            "choose a run that has finished"
        )


def _recorded(run_id: str, path: Path, workspace: ResultsFolder) -> FinishedRun:
    record, folder = read_record(path), path.parent.parent
    if folder.is_relative_to(workspace.reference):
        folder = workspace.results / folder.relative_to(workspace.reference)
    return FinishedRun(
        run_id=run_id,
        recipe=_recipe(run_id, record.recipe),
        metrics=record.metrics,
        environment=record.environment,
        scale=next(name for name in SCALES if folder.is_relative_to(workspace.results / name)),
        published=folder,
    )


def _stored(store: Store, stored: StoredRun) -> FinishedRun:
    with tempfile.TemporaryDirectory() as place:
        path = store.download(stored.mlflow_id, "recipe.json", Path(place))
        recipe = _recipe(
            stored.run_id, read_json(path, dict[str, Any], "Train the run again.") if path else {}
        )
    scale, published = _place(store, stored)
    return FinishedRun(
        run_id=stored.run_id,
        recipe=recipe,
        metrics=stored.metrics,
        environment=stored.environment,
        scale=scale,
        published=published,
    )


def _place(store: Store, stored: StoredRun) -> tuple[Scale | None, Path]:
    """Scale and folder of the command or study that trained the run, as its own tag or its parent says."""
    if own := stored.tags.get(PUBLISHED):
        return next(name for name in SCALES if name == own.partition("/")[0]), store.workspace.results / own
    parent = stored.tags.get("mlflow.parentRunId")
    with store_errors(store.uri):
        tags: Mapping[str, str] = store.client.get_run(parent).data.tags if parent else {}
    scale = next((name for name in SCALES if name == tags.get("cdd.scale")), None)
    if scale is None:
        return None, store.workspace.results
    if "cdd.study" in tags:
        return scale, store.workspace.scale_folder(scale) / "studies" / tags["cdd.study"]
    overridden = tags["cdd.invocation"].removeprefix(f"{tags['cdd.artifact']}-{scale}").lstrip("-")
    return scale, store.workspace.scale_folder(scale, overridden or None)


def _recipe(run_id: str, values: dict[str, Any]) -> Recipe:
    try:
        return Recipe.from_json(values)
    except NO_RECIPE as error:
        raise RunError(
            f"the stored recipe of run {run_id} has fields that this version does not know, or lacks some: "
            "use the version that trained it, or train it again"
        ) from error


def _loaded(path: Path) -> Embedder:
    return Embedder(load_deployed_network(path))
