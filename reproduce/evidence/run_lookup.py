"""Recorded metrics and query results of finished runs, for the evaluation of claims."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from cdd.data.embedded import load_embedded
from cdd.evaluation.queries import chance_precision, query_identities
from cdd.recipe import Data, Recipe
from experiments import registry
from experiments.schema.claim import Claim, RunRef
from experiments.schema.figure import Artifact, Sweep
from experiments.schema.scale import Scale
from experiments.schema.table import Column, Table
from reproduce.evidence.context import FIGURES
from reproduce.planning.overrides import Overrides
from reproduce.storage.query_results import QueryResults, read_chance, read_identities, read_query_results
from reproduce.storage.run_record import RunRecord, read_records

BY_QUERY = {"mAP": "average_precision", "rank1": "rank1_correct", "top1": "average_precision"}
"""By name of a metric, which answers it is the mean of."""
QUERIES: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "identities": (read_identities, query_identities),
    "chance": (read_chance, chance_precision),
}
"""What is known of queries: how it is read, and asked of a data set."""


@dataclass(frozen=True)
class ClaimRun:
    """One finished run.

    Attributes:
        protocol: by which it is asked; it stands in the names of metrics.
        path: of the record.
    """

    recipe: Recipe
    protocol: str
    record: RunRecord
    path: Path

    @cached_property
    def answers(self) -> QueryResults | None:
        """What single queries found."""
        return read_query_results(self.path)

    @cached_property
    def identities(self) -> Int[np.ndarray, " queries"] | None:
        """What each query shows; of embedded data that no run has said it of, asked of the data.

        None for other data, and where the data here are not those of the run.
        """
        return _by_protocol("identities", self.folder, self.recipe.data, self.digest).get(self.protocol)

    @cached_property
    def chance(self) -> Float[np.ndarray, " queries"] | None:
        """Average precision of each query under random rankings, or the share of a class; as identities."""
        return _by_protocol("chance", self.folder, self.recipe.data, self.digest).get(self.protocol)

    @property
    def digest(self) -> str:
        """Of the data that it was judged on."""
        return str(self.record.environment.get("data_digest", "unknown"))

    @property
    def folder(self) -> Path:
        """Of the scale."""
        return self.path.parent.parent

    @property
    def figures(self) -> Path:
        """Folder of the figures that were drawn of it."""
        return self.folder / FIGURES

    def by_query(self, column: Column) -> Float[np.ndarray, " queries"] | None:
        """What single queries give an accuracy, whose mean it is; None for everything else."""
        kind = BY_QUERY.get(column.metric.removeprefix("{protocol}/").removesuffix("_error"))
        if kind is None or self.answers is None:
            return None
        found: NDArray[np.float64] | None = getattr(self.answers, kind).get(self.protocol)
        if found is None:
            return None
        return column.factor * (1 - found if column.metric.endswith("_error") else found)


class RunLookup:
    """All records below a scale's folder, found by the rows that show their runs."""

    def __init__(
        self,
        folder: Path,
        scale: Scale,
        artifacts: Mapping[str, Artifact],
        overrides: Overrides | None = None,
    ):
        self.folder, self.scale, self.artifacts = folder, scale, artifacts
        self.overrides = overrides or Overrides()
        self._recipes: dict[tuple[str, int], dict[tuple[str, str], Recipe]] = {}
        self._runs: dict[tuple[str, str, str, str, int], ClaimRun | None] = {}

    def of(self, run: RunRef, seed: int) -> ClaimRun | None:
        """The finished run behind a row for this seed; None where it is not recorded."""
        key = run.artifact, run.row, run.group, run.role, seed
        if key not in self._runs:
            recipe, groups = self.recipe(run, seed), self.artifacts[run.artifact].groups
            protocol = next((group.protocol for group in groups if group.title == run.group), "")
            self._runs[key] = self.recorded(recipe, protocol) if recipe else None
        return self._runs[key]

    def recorded(self, recipe: Recipe, protocol: str) -> ClaimRun | None:
        """The finished run of a recipe, asked by this protocol; None where it is not recorded."""
        record = self.records.get(recipe.run_id)
        return ClaimRun(recipe, protocol, record, self._path(record)) if record else None

    @cached_property
    def records(self) -> dict[str, RunRecord]:
        """All records, by run id."""
        return read_records(self.folder)

    @cached_property
    def over_seeds(self) -> list[list[ClaimRun]]:
        """Recorded runs that differ in their seeds alone, together; those of one seed are left out."""
        found: dict[str, list[ClaimRun]] = {}
        for record in self.records.values():
            try:
                recipe = Recipe.from_json(record.recipe)
            except (ValueError, ImportError):
                continue  # A recipe of another version, which no run of this one is like.
            same = json.dumps(_without_seeds(recipe.to_json()), sort_keys=True)
            found.setdefault(same, []).append(ClaimRun(recipe, "", record, self._path(record)))
        return [runs for runs in found.values() if len(runs) > 1]

    def _path(self, record: RunRecord) -> Path:
        return self.folder / "runs" / f"{record.run_id}.json"

    def recipe(self, run: RunRef, seed: int) -> Recipe | None:
        """The run behind a row; None for a row without one, whose figures the paper copied.

        Raises:
            ValueError: if the artifact has no such row or group.
        """
        recipes = self._of_artifact(run.artifact, seed)
        found = recipes.get((run.row, run.group))
        if found is None and not self._is_reported(run):
            known = ", ".join(f"{row!r} of {group!r}" for row, group in recipes)
            raise ValueError(f"{run.artifact} has no run {run.row!r} of {run.group!r}; it has {known}")
        return found.teacher if found and run.role == "teacher" else found

    def published(self, run: RunRef, column: str) -> float | None:
        """The paper's figure of a row."""
        if column in run.paper or run.role == "teacher":
            return run.paper.get(column)
        artifact = self.artifacts[run.artifact]
        table = artifact.table if isinstance(artifact, Sweep) else artifact
        rows = table.rows if isinstance(table, Table) else ()
        entries = [
            row.entries[run.group] for row in rows if row.label == run.row and run.group in row.entries
        ]
        return entries[0].paper.get(column) if entries else None

    def _of_artifact(self, name: str, seed: int) -> dict[tuple[str, str], Recipe]:
        if (name, seed) not in self._recipes:
            found = self.artifacts[name].recipes(self.scale, seed)
            changed = self.overrides.apply([recipe for _, _, recipe in found])
            self._recipes[name, seed] = {
                (label, group): recipe for (label, group, _), recipe in zip(found, changed, strict=True)
            }
        return self._recipes[name, seed]

    def _is_reported(self, run: RunRef) -> bool:
        artifact = self.artifacts[run.artifact]
        return isinstance(artifact, Table) and any(
            row.label == run.row and row.reported and run.group in row.entries for row in artifact.rows
        )


class _Declared(dict[str, Artifact]):
    """The artifacts of the catalog by name, each found when it is asked for."""

    def __missing__(self, name: str) -> Artifact:
        return self.setdefault(name, registry.find(name))


def evidence_of(folder: Path, scale: Scale, overrides: Overrides | None = None) -> RunLookup:
    """The records of a scale's folder, for the runs of all artifacts."""
    return RunLookup(folder, scale, _Declared(), overrides)


def runs_of(claims: Iterable[Claim]) -> list[RunRef]:
    """Every run that these claims compare."""
    return [run for claim in claims for pair in claim.pairs for run in pair.runs]


def _without_seeds(value: Any) -> Any:
    """A recipe as plain values without its seed and those of the runs that it needs."""
    if not isinstance(value, dict):
        return value
    return {key: _without_seeds(inner) for key, inner in value.items() if key != "seed"}


@cache
def _by_protocol(kind: str, folder: Path, data: Data, digest: str) -> Mapping[str, NDArray[Any]]:
    """What is stored of the queries; of embedded data that no run has said it of, asked of the data."""
    read, ask = QUERIES[kind]
    known = read(folder, data, digest)
    if known is None and (dataset := load_embedded(data)) and dataset.digest == digest:
        known = {name: np.asarray(found) for name, found in ask(dataset, data.use).items()}
    return known or {}
