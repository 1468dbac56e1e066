"""Finished runs side by side: the fields in which their recipes differ, and what each of them measured."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cdd.recipe import Recipe
from experiments import registry
from experiments.schema.scale import Scale
from reproduce.errors import UsageError, shortened
from reproduce.storage.provenance import CodeVersion
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import record_files
from reproduce.tracking.finished_runs import FinishedRun, FinishedRuns
from reproduce.tracking.run_ids import RUN_ID_LENGTH, only_run

REFERENCE = "reference:"
"""In front of a name: the committed run, though the user may have trained it as well."""
ABSENT = "-"
NAMED = 5
"""Runs that a message names."""


@dataclass(frozen=True)
class Comparison:
    """Several runs, the first of which the others are compared with.

    Attributes:
        names: as the user gave them.
        fields: by path, the values of recipe fields that differ.
        metrics: by name, one value per run; None where a run did not measure it.
    """

    names: tuple[str, ...]
    runs: tuple[FinishedRun, ...]
    fields: Mapping[str, tuple[str, ...]]
    metrics: Mapping[str, tuple[float | None, ...]]


class NamedRuns:
    """Runs by what people call them: a run id, the beginning of one, or the row of an artifact."""

    def __init__(self, workspace: ResultsFolder, code: CodeVersion, scale: Scale, seed: int):
        self._own = FinishedRuns(workspace, code)
        self._reference = FinishedRuns(replace(workspace, results=workspace.reference), code)
        self._scale, self._seed = scale, seed

    def find(self, text: str) -> FinishedRun:
        """The run; of a row, the user's before the committed one.

        Raises:
            UsageError: for an unknown or unclear name, and for a run that has not finished.
            StoreError: if the store does not answer.
        """
        runs = self._reference if text.startswith(REFERENCE) else self._own
        name = text.removeprefix(REFERENCE)
        is_id = bool(name) and not set(name.lower()) - set("0123456789abcdef")
        if is_id and len(name) == RUN_ID_LENGTH:
            return self._of(runs, name)
        rows = self._rows(name.rpartition(":")[0])
        found = {run_id: row for row, run_id in rows if name.lower() in (row.lower(), _label(row).lower())}
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} runs are called {shortened(name)!r}: "
                f"{_some([f'{row} is {run_id}' for run_id, row in found.items()])}. Give one of these"
            )
        if not found and not is_id:
            raise _unknown(name, [row for row, _ in rows])
        return self._of(runs, next(iter(found), name))

    def _of(self, runs: FinishedRuns, name: str) -> FinishedRun:
        if runs is self._reference:  # A store that the user has named holds none of the committed runs.
            folder = runs.workspace.reference
            name = only_run(name, record_files(folder), folder)
        return runs.find(name)

    def _rows(self, artifact: str) -> list[tuple[str, str]]:
        """Name as `ARTIFACT:ROW` and run id of every row, with its group where a row has several runs."""
        if artifact:
            registry.check_names([artifact])
        rows = []
        for name in [artifact] if artifact else [summary.name for summary in registry.summaries()]:
            recipes = registry.find(name).recipes(self._scale, self._seed)
            ids: dict[str, set[str]] = {}
            for label, _, recipe in recipes:
                ids.setdefault(label, set()).add(recipe.run_id)
            rows += [
                (f"{name}:{label}" + (f", {group}" if len(ids[label]) > 1 else ""), recipe.run_id)
                for label, group, recipe in recipes
            ]
        return rows


def compare(names: Sequence[str], runs: Sequence[FinishedRun]) -> Comparison:
    """What differs between the recipes of these runs, and all that any of them measured."""
    metrics = dict.fromkeys(name for run in runs for name in run.metrics)
    return Comparison(
        tuple(names),
        tuple(runs),
        differing_fields([run.recipe.to_json() for run in runs]),
        {name: tuple(run.metrics.get(name) for run in runs) for name in metrics},
    )


def differing_fields(values: Sequence[Mapping[str, Any]], path: str = "") -> dict[str, tuple[str, ...]]:
    """By path the fields that are not the same in all, each as text.

    Fields within a method are compared where all have that method, fields within a teacher or an
    initialisation where all have one, and all fields of other settings that some do not have.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(key for each in values for key in each):
        inner = [each.get(name) for each in values]
        if all(value == inner[0] for value in inner):
            continue
        groups = [value for value in inner if isinstance(value, dict)]
        methods = {value.get("method") for value in groups if "data" not in value}
        are_alike = len(groups) == len(inner) and len(methods) <= 1
        if are_alike or _are_settings_or_none(inner):
            found |= differing_fields([value or {} for value in inner], f"{path}{name}.")
        else:
            found[f"{path}{name}"] = tuple(map(_text, inner))
    return found


def _are_settings_or_none(values: Sequence[Any]) -> bool:
    return None in values and all(
        value is None or (isinstance(value, dict) and "data" not in value) for value in values
    )


def _text(value: Any) -> str:
    """A field in few words: a whole recipe by its run id, a method by its name."""
    if isinstance(value, dict):
        if "data" in value:
            return f"run {Recipe.from_json(value).run_id}"
        return str(value.get("method", value)).rpartition(":")[2]
    if isinstance(value, list):
        return ",".join(map(str, value))
    return ABSENT if value is None else str(value)


def _label(row: str) -> str:
    return row.partition(":")[2]


def _unknown(name: str, rows: Sequence[str]) -> UsageError:
    known = [*dict.fromkeys(rows if ":" in name else map(_label, rows))]
    near = difflib.get_close_matches(shortened(name), known, n=NAMED, cutoff=0.3) or known
    return UsageError(
        f"no run {shortened(name)!r}: expected a run id, the first of its digits, or a row as ARTIFACT:ROW. "
        f"Nearest: {_some(near)}. `python -m reproduce plan ARTIFACT` shows rows and run ids"
    )


def _some(names: Sequence[str]) -> str:
    return "; ".join(names[:NAMED]) + ("; ..." if len(names) > NAMED else "")
