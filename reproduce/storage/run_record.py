"""Each finished run's record: what was run, what came out, with what; small enough to be committed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cdd.files import Finite, atomic_write, parse_json, read_json
from cdd.recipe import Recipe
from cdd.result import Environment, Epoch, Result
from experiments.schema.scale import SCALES
from reproduce.storage import query_results
from reproduce.storage.provenance import CodeVersion, versions

SIGNIFICANT_DIGITS = 6
LARGEST_BYTES = 100_000
SOURCE = "source.json"


@dataclass(frozen=True)
class RunRecord:
    """A record as read from its file."""

    run_id: str
    recipe: dict[str, Any]
    metrics: dict[str, Finite]
    history: dict[str, list[Finite | None]]
    channels: list[int] | None
    environment: Environment


def write_record(folder: Path, recipe: Recipe, result: Result, environment: dict[str, Any]) -> Path:
    """Writes the record below `folder/runs`, complete or not at all; one file per run id.

    The answers to single queries stand beside it where there are too many, and what the queries show, and
    what chance gives them, stands below `folder/queries`, once for all runs.
    """
    values: dict[str, Any] = {
        "run_id": result.run_id,
        "recipe": recipe.to_json(),
        "metrics": rounded(result.metrics),
        "channels": result.channels,
        "environment": environment,
        "history": columns(result.history),
    }
    path = folder / "runs" / f"{result.run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _compact({**values, **query_results.as_text(result)})
    if len(text) > LARGEST_BYTES:
        text = _compact(values)
        query_results.write_beside(path, result)
    digest = str(environment.get("data_digest", "unknown"))
    query_results.write_identities(folder, recipe.data, digest, result.query_identities)
    query_results.write_chance(folder, recipe.data, digest, result.chance_precision)
    atomic_write(path, text)
    return path


def read_records(folder: Path) -> dict[str, RunRecord]:
    """All records below `folder/runs`, by run id.

    Raises:
        ValueError: naming a record that cannot be read.
    """
    records = [read_record(path) for path in sorted((folder / "runs").glob("*.json"))]
    return {record.run_id: record for record in records}


class RecordFolder(Mapping[str, RunRecord]):
    """Records below `folder/runs` by run id, each read when it is asked for.

    Reading raises ValueError naming a record that cannot be read.
    """

    def __init__(self, folder: Path):
        self._folder, self._read = folder / "runs", cache(read_record)

    def __getitem__(self, run_id: str) -> RunRecord:
        if run_id not in self:
            raise KeyError(run_id)
        return self._read(self._path(run_id))

    def __contains__(self, run_id: object) -> bool:
        return self._path(str(run_id)).exists()

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._folder.glob("*.json")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"


def record_files(results: Path) -> dict[str, Path]:
    """Every record below a folder of scales, by run id; a scale's own before others of the id."""
    paths = [path for scale in SCALES for path in (results / scale).glob("**/runs/*.json")]
    deepest_first = sorted(paths, key=lambda path: (-len(path.parts), path))
    return {path.stem: path for path in deepest_first}


def read_record(path: Path) -> RunRecord:
    """The record in this file.

    Raises:
        ValueError: naming it if it cannot be read.
    """
    try:
        record = parse_json(path.read_bytes(), RunRecord)
        if record.run_id != path.stem:
            raise ValueError(f"it is the record of run {record.run_id}")
        if len({len(values) for values in record.history.values()}) > 1:
            raise ValueError("history: its lists are not of one length")
        return record
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the record {path} is damaged: {error}. Restore it with git, or delete it: the next command "
            "that has its run writes it again."
        ) from error


def note_source(run_folder: Path, code: CodeVersion) -> None:
    """Writes down, beside the checkpoints, the code that a training runs with."""
    run_folder.mkdir(parents=True, exist_ok=True)
    values = {**versions(), "git_commit": code.commit, "git_dirty": code.dirty}
    atomic_write(run_folder / SOURCE, json.dumps(values))


def full_environment(run_folder: Path, result: Result) -> dict[str, Any]:
    """What a finished training was made with: the code that `note_source` wrote down, machine, data."""
    path = run_folder / SOURCE
    remedy = "Delete that file: the versions and the commit of the run are then not known."
    noted = read_json(path, Environment, remedy) if path.exists() else {}
    return {**noted, **result.environment}


def columns(history: list[Epoch]) -> dict[str, list[float | None]]:
    """One list per metric with a value for every epoch; None where it was not measured."""
    names = sorted({name for epoch in history for name in epoch.metrics})
    return {
        "epoch": [epoch.number for epoch in history],
        **{name: [rounded(epoch.metrics.get(name)) for epoch in history] for name in names},
    }


def _compact(values: dict[str, Any]) -> str:
    """One line per top-level field, so that two records can be compared by eye and by git."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in values.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def rounded(value: Any) -> Any:
    """The value with every number as a record has it."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, float):
        short = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 1e15 else short
    return value
