"""Each finished run's record: what was run, what came out, with what; small enough to be committed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdd.recipe import Recipe
from cdd.run import Epoch, Result
from reproduce import answers
from reproduce.artifact import SCALES
from reproduce.source import Source, versions

SIGNIFICANT_DIGITS = 6
LARGEST_BYTES = 100_000
SOURCE = "source.json"


@dataclass(frozen=True)
class Record:
    """A record as read from its file."""

    run_id: str
    recipe: dict[str, Any]
    metrics: dict[str, float]
    history: dict[str, list[float | None]]
    channels: list[int] | None
    environment: dict[str, Any]


def write_record(folder: Path, recipe: Recipe, result: Result, environment: dict[str, Any]) -> Path:
    """Writes the record below `folder/runs`, complete or not at all; one file per run id.

    The answers to single queries stand beside it where there are too many, and what the queries show stands
    below `folder/queries`, once for all runs.
    """
    values: dict[str, Any] = {
        "run_id": result.run_id,
        "recipe": recipe.to_json(),
        "metrics": _rounded(result.metrics),
        "channels": result.channels,
        "environment": environment,
        "history": columns(result.history),
    }
    path = folder / "runs" / f"{result.run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _compact({**values, **answers.as_text(result)})
    if len(text) > LARGEST_BYTES:
        text = _compact(values)
        answers.write_beside(path, result)
    digest = str(environment.get("data_digest", "unknown"))
    answers.write_identities(folder, recipe.data, digest, result.query_identities)
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def read_records(folder: Path) -> dict[str, Record]:
    """All records below `folder/runs`, by run id.

    Raises:
        ValueError: naming a record that cannot be read.
    """
    records = [read_record(path) for path in sorted((folder / "runs").glob("*.json"))]
    return {record.run_id: record for record in records}


def record_files(results: Path) -> dict[str, Path]:
    """Every record below the results, of every scale, by run id; a scale's own before others of the id."""
    paths = [path for scale in SCALES for path in (results / scale).glob("**/runs/*.json")]
    deepest_first = sorted(paths, key=lambda path: (-len(path.parts), path))
    return {path.stem: path for path in deepest_first}


def read_record(path: Path) -> Record:
    """The record in this file.

    Raises:
        ValueError: naming it if it cannot be read.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for name in (answers.PRECISION, answers.FIRST):
            values.pop(name, None)
        return Record(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the record {path} is damaged: {error}. Restore it with git, or delete it: the next command "
            "that has its run writes it again."
        ) from error


def note_source(run_folder: Path, code: Source) -> None:
    """Writes down, beside the checkpoints, the code that a training runs with."""
    run_folder.mkdir(parents=True, exist_ok=True)
    values = {**versions(), "git_commit": code.commit, "git_dirty": code.dirty}
    (run_folder / SOURCE).write_text(json.dumps(values), encoding="utf-8")


def full_environment(run_folder: Path, result: Result) -> dict[str, Any]:
    """What a finished training was made with: the code that `note_source` wrote down, machine, data."""
    path = run_folder / SOURCE
    noted = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {**noted, **result.environment}


def columns(history: list[Epoch]) -> dict[str, list[float | None]]:
    """One list per metric with a value for every epoch; None where it was not measured."""
    names = sorted({name for epoch in history for name in epoch.metrics})
    return {
        "epoch": [epoch.number for epoch in history],
        **{name: [_rounded(epoch.metrics.get(name)) for epoch in history] for name in names},
    }


def _compact(values: dict[str, Any]) -> str:
    """One line per top-level field, so that two records can be compared by eye and by git."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in values.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, float):
        rounded = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    return value
