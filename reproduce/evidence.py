"""What finished runs have measured, for judging claims: their records, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from cdd.data.catalog import EMBEDDED, load
from cdd.recipe import Data, Recipe
from cdd.training.appraisal import query_identities
from reproduce.answers import Answers, read_answers, read_identities
from reproduce.artifact import Scale, Table
from reproduce.claim import RunOf
from reproduce.material import FIGURES
from reproduce.picture import Artifact, Sweep
from reproduce.records import Record, read_record


@dataclass(frozen=True)
class RunEvidence:
    """One finished run.

    Attributes:
        protocol: of the row's group; it stands in the names of metrics.
        path: of the record.
    """

    recipe: Recipe
    protocol: str
    record: Record
    path: Path

    @cached_property
    def answers(self) -> Answers | None:
        """What single queries found."""
        return read_answers(self.path)

    @cached_property
    def identities(self) -> Int[np.ndarray, " queries"] | None:
        """What each query shows; of embedded data that no run has said it of, asked of the data.

        None for other data, and where the data here are not those of the run.
        """
        return (_identities(self.path.parent.parent, self.recipe.data, self.digest) or {}).get(self.protocol)

    @property
    def digest(self) -> str:
        """Of the data that it was judged on."""
        return str(self.record.environment.get("data_digest", "unknown"))

    @property
    def figures(self) -> Path:
        """Folder of the figures that were drawn of it."""
        return self.path.parent.parent / FIGURES


class Evidence:
    """All records below a scale's folder, found by the rows that show their runs."""

    def __init__(self, folder: Path, scale: Scale, artifacts: Mapping[str, Artifact]):
        self.folder, self.scale, self.artifacts = folder, scale, artifacts
        self._recipes: dict[tuple[str, int], dict[tuple[str, str], Recipe]] = {}
        self._runs: dict[tuple[str, str, str, str, int], RunEvidence | None] = {}

    def of(self, run: RunOf, seed: int) -> RunEvidence | None:
        """The finished run behind a row for this seed; None where it is not recorded."""
        key = run.artifact, run.row, run.group, run.role, seed
        if key not in self._runs:
            self._runs[key] = self._recorded(run, seed)
        return self._runs[key]

    def recipe(self, run: RunOf, seed: int) -> Recipe | None:
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

    def published(self, run: RunOf, column: str) -> float | None:
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

    def _recorded(self, run: RunOf, seed: int) -> RunEvidence | None:
        recipe = self.recipe(run, seed)
        path = self.folder / "runs" / f"{recipe.run_id}.json" if recipe else None
        if recipe is None or path is None or not path.exists():
            return None
        groups = self.artifacts[run.artifact].groups
        protocol = next(group.protocol for group in groups if group.title == run.group)
        return RunEvidence(recipe, protocol, read_record(path), path)

    def _of_artifact(self, name: str, seed: int) -> dict[tuple[str, str], Recipe]:
        if (name, seed) not in self._recipes:
            found = self.artifacts[name].recipes(self.scale, seed)
            self._recipes[name, seed] = {(label, group): recipe for label, group, recipe in found}
        return self._recipes[name, seed]

    def _is_reported(self, run: RunOf) -> bool:
        artifact = self.artifacts[run.artifact]
        return isinstance(artifact, Table) and any(
            row.label == run.row and row.reported and run.group in row.entries for row in artifact.rows
        )


@cache
def _identities(folder: Path, data: Data, digest: str) -> dict[str, NDArray[np.int64]] | None:
    known = read_identities(folder, data, digest)
    if known is not None or data.name not in EMBEDDED:
        return known
    dataset = load(data)
    if dataset.digest != digest:
        return None
    found = query_identities(dataset, data.use)
    return {name: np.asarray(identities, np.int64) for name, identities in found.items()}
