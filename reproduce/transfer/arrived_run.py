"""Contents of an exported run's file, checked whole before anything is placed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdd.errors import DataError
from cdd.files import parse_json
from cdd.recipe import Recipe
from cdd.result import RESULT, Environment, Result, parse_result
from reproduce.storage.run_record import SOURCE
from reproduce.tracking.finished_runs import NO_RECIPE
from reproduce.tracking.snapshot import TRACKING, MetricName, Snapshot
from reproduce.transfer.archive import NETWORKS, RECIPE, Manifest, check_network, refusal, unpack

LONGEST_ENVIRONMENT = 8000
"""Of characters that a tag of MLflow can have."""
NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Of data sets and digests, which become parts of paths."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What a file holds: its parts are of one run, and the run is its recipe's."""

    manifest: Manifest
    recipe: Recipe
    result: Result
    environment: dict[str, Any]
    copy: Snapshot
    folder: Path


def arrived_run(path: Path, folder: Path) -> Arrived:
    """The run in a file, whose members lie in the folder then.

    Raises:
        UsageError: if there is no such file, or it is of a version that this one does not read.
        RunError: if any of its parts is damaged, of another kind, or does not fit the others.
    """
    manifest = unpack(path, folder)
    try:
        recipe = _recipe(folder, manifest)
        result, environment = _result(folder, recipe)
        copy = _copy(folder, manifest, result)
        for name in NETWORKS:
            if (folder / name).exists():
                check_network(folder / name, recipe)
    except DataError as error:
        raise refusal(path, str(error).replace(f"{folder}/", "").partition(". ")[0]) from error
    except ValueError as error:
        raise refusal(path, str(error)) from error
    return Arrived(
        manifest=manifest,
        recipe=recipe,
        result=result,
        environment=environment,
        copy=copy,
        folder=folder,
    )


def _recipe(folder: Path, manifest: Manifest) -> Recipe:
    try:
        recipe = Recipe.from_json(parse_json((folder / RECIPE).read_bytes(), dict[str, Any]))
        run_id = recipe.run_id
    except NO_RECIPE as error:
        raise ValueError(
            f"it holds what this version cannot read, its {RECIPE}: {_line(error)}; import it with the "
            "version that wrote it"
        ) from error
    if run_id != manifest.run_id:
        raise ValueError(
            f"it calls itself run {manifest.run_id}, but its recipe is that of run {run_id}: it was put "
            "together by hand, or written by a version with other defaults"
        )
    for one in _all(recipe):
        if not NAME.fullmatch(one.data.name):
            raise ValueError(f"its {RECIPE} names a data set {one.data.name!r}, which is no name of one")
    return recipe


def _all(recipe: Recipe) -> list[Recipe]:
    return [recipe, *(one for before in recipe.dependencies for one in _all(before))]


def _result(folder: Path, recipe: Recipe) -> tuple[Result, dict[str, Any]]:
    """The result, and everything that it was made with."""
    result = _part(folder, RESULT, parse_result)
    noted = _part(folder, SOURCE, lambda content: parse_json(content, Environment))
    if result.run_id != recipe.run_id:
        raise ValueError(
            f"its recipe is that of run {recipe.run_id}, but its numbers are run {result.run_id}'s"
        )
    if len(result.history) != recipe.schedule.epochs:
        raise ValueError(f"its {RESULT} has {len(result.history)} epochs of {recipe.schedule.epochs}")
    names = {*result.metrics, *result.average_precision, *result.rank1_correct, *result.query_identities}
    names |= {name for epoch in result.history for name in epoch.metrics}
    _part(folder, RESULT, lambda content: parse_json(json.dumps(sorted(names)), list[MetricName]))
    environment = {**noted, **result.environment}
    problem = _odd(environment)
    if problem:
        raise ValueError(f"its environment is damaged: {problem}")
    return result, environment


def _odd(environment: Mapping[str, Any]) -> str:
    """What no machine says of itself; nothing where all is well."""
    if len(json.dumps(environment)) > LONGEST_ENVIRONMENT:
        return f"it has more than {LONGEST_ENVIRONMENT} characters"
    digest = environment.get("data_digest", "unknown")
    if not isinstance(digest, str) or not NAME.fullmatch(digest):
        return f"data_digest is {str(digest)[:80]!r}"
    for name, value in environment.items():
        if any(CONTROL.search(str(one)) for one in (name, *(value if isinstance(value, list) else [value]))):
            return f"{name[:80]!r} is not one line of text"
    return ""


def _copy(folder: Path, manifest: Manifest, result: Result) -> Snapshot:
    if not (folder / TRACKING).exists():
        experiment = f"imported-{manifest.published.partition('/')[0] or 'runs'}"
        return Snapshot(
            name=manifest.label, experiment=experiment, started=None, ended=None, tags={}, metrics={}
        )
    copy: Snapshot = _part(folder, TRACKING, lambda content: parse_json(content, Snapshot))
    problem = copy.problem(result)
    if problem:
        raise ValueError(f"its {TRACKING} is damaged: {problem}")
    return copy


def _part(folder: Path, name: str, reader: Any) -> Any:
    try:
        return reader((folder / name).read_bytes())
    except ValueError as error:
        raise ValueError(f"its {name} is damaged: {error}") from error


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
