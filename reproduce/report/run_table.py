"""Finished runs behind the page with device and time, and the machines that made them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdd.recipe import Recipe
from reproduce.execution.outcome import Outcome
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.planning.plan import role
from reproduce.tables.caption import COMMIT_LENGTH, VERSIONS

KEYS = ("device", "device_name", "threads", "autocast")
MEASURED = ("finished", "reused")


@dataclass(frozen=True)
class RunEnvironment:
    """What numbers were made with, as people compare it."""

    device: str
    name: str
    threads: str
    precision: str
    versions: str

    @classmethod
    def of(cls, environment: Mapping[str, Any]) -> "RunEnvironment":
        """From the environment of a run; unknown where it does not say."""
        versions = (f"{name} {environment[name]}" for name in VERSIONS if name in environment)
        device, name, threads, precision = (str(environment.get(key, "unknown")) for key in KEYS)
        return cls(device, name, threads, precision, ", ".join(versions))


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A finished run.

    Attributes:
        what: its names in the artifacts that show it, or what it is to a run that they show.
        artifacts: that show it.
        seconds: of training and evaluation; None where it was not measured.
    """

    run_id: str
    what: str
    artifacts: tuple[str, ...]
    data: str
    seed: int
    epochs: int
    seconds: float | None
    made: RunEnvironment
    commit: str

    @property
    def duration(self) -> str:
        """Hours, minutes and seconds."""
        return "unknown" if self.seconds is None else clock(self.seconds)


def run_lines(drawn: Sequence[RenderedArtifact]) -> list[RunRow]:
    """Every finished run that is shown, and every one that those needed, in the order of the artifacts."""
    known = {run_id: outcome for each in drawn for run_id, outcome in each.known.items()}
    recipes: dict[str, Recipe] = {}
    names: dict[str, dict[str, None]] = {}
    shown: dict[str, dict[str, None]] = {}
    for each in drawn:
        for requested in (
            requested for requested in each.requested_runs if requested.recipe.run_id in each.outcomes
        ):
            run_id = requested.recipe.run_id
            recipes.setdefault(run_id, requested.recipe)
            names.setdefault(run_id, {})[requested.name or requested.label] = None
            shown.setdefault(run_id, {})[requested.artifact] = None
    for recipe in list(recipes.values()):
        _add_needed(recipe, next(iter(names[recipe.run_id])), recipes, names)
    return [
        _line(recipe, tuple(names[run_id]), tuple(shown.get(run_id, ())), known[run_id])
        for run_id, recipe in recipes.items()
        if run_id in known and known[run_id].state in MEASURED
    ]


def machines(lines: Iterable[RunRow]) -> list[tuple[RunEnvironment, int, str]]:
    """Each kind of machine and software with its runs and their time together, the busiest first."""
    found: dict[RunEnvironment, list[float]] = {}
    for line in lines:
        found.setdefault(line.made, []).append(line.seconds or 0.0)
    busiest = sorted(found.items(), key=lambda item: (-sum(item[1]), item[0].versions))
    return [(made, len(seconds), clock(sum(seconds))) for made, seconds in busiest]


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _add_needed(
    recipe: Recipe, name: str, recipes: dict[str, Recipe], names: dict[str, dict[str, None]]
) -> None:
    for before in recipe.dependencies:
        if before.run_id in recipes:
            continue
        label = f"{role(before, recipe)} of {name}"
        recipes[before.run_id], names[before.run_id] = before, {label: None}
        _add_needed(before, label, recipes, names)


def _line(recipe: Recipe, names: tuple[str, ...], artifacts: tuple[str, ...], outcome: Outcome) -> RunRow:
    environment = outcome.environment
    commit = str(environment.get("git_commit", "unknown"))[:COMMIT_LENGTH]
    return RunRow(
        run_id=recipe.run_id,
        what=" = ".join(names),
        artifacts=artifacts,
        data=f"{recipe.data.name} at {recipe.data.height}x{recipe.data.width}",
        seed=recipe.seed,
        epochs=recipe.schedule.epochs,
        seconds=outcome.metrics.get("seconds"),
        made=RunEnvironment.of(environment),
        commit=f"{commit} and changes" if environment.get("git_dirty") else commit,
    )
