"""From artifacts to distinct runs in the order in which they can be made, with what is to be done and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from cdd.data.dataset_size import dataset_size
from cdd.data.embedded import EMBEDDED
from cdd.errors import DataError
from cdd.recipe import Recipe
from cdd.result import RESULT, WEIGHTS, load_result
from cdd.training.environment import device_name
from cdd.training.footprint import Footprint, footprint
from reproduce.planning.duration import Estimate, SpeedHistory, calibrated, estimate
from reproduce.planning.requested_run import RequestedRun
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.store import FAILED, FINISHED, IMPORTED, Store, StoredRun

State = Literal["run", "resume", "reuse", "deliver"]


@dataclass(frozen=True)
class PlannedRun:
    """One distinct run of a plan.

    Attributes:
        labels: the rows that show it; or what depends on it.
        reason: why this state, in words.
        estimate: of the time that is left.
        stored: its newest run in the store, finished or not.
        renew: earlier files and runs of this id are set aside first.
        role: what it is to the others: pretraining, base, teacher or student.
    """

    recipe: Recipe
    labels: tuple[str, ...]
    state: State
    reason: str
    estimate: Estimate
    stored: StoredRun | None = None
    renew: bool = False
    role: str = "student"

    @property
    def run_id(self) -> str:
        """The run's name everywhere."""
        return self.recipe.run_id

    @property
    def footprint(self) -> Footprint:
        """What it needs on disk and in memory."""
        return footprint(self.recipe, dataset_size(self.recipe.data).identities)

    @property
    def name(self) -> str:
        """Its name for people."""
        data = self.recipe.data
        where = f"at {data.height}x{data.width}" if data.name in EMBEDDED else f"on {data.name}"
        return f"{' = '.join(self.labels)} {where}, seed {self.recipe.seed}"

    def as_plain(self) -> dict[str, Any]:
        """The item as plain values."""
        return {
            "run_id": self.run_id,
            "labels": list(self.labels),
            "seed": self.recipe.seed,
            "state": self.state,
            "reason": self.reason,
            "depends_on": [before.run_id for before in self.recipe.dependencies],
            "estimated_seconds": self.estimate.seconds,
            "estimate_basis": self.estimate.basis,
            "training_disk_bytes": self.footprint.training_disk,
            "kept_disk_bytes": self.footprint.kept_disk,
            "least_memory_bytes": self.footprint.least_memory,
            "measured_memory_bytes": self.estimate.peak_memory,
        }


@dataclass(frozen=True)
class Plan:
    """Distinct runs, each behind the runs whose weights it needs.

    Attributes:
        remarks: what a run would still have to be given.
    """

    items: tuple[PlannedRun, ...]
    requested_runs: tuple[RequestedRun, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def work(self) -> list[PlannedRun]:
        """What is not merely reused."""
        return [item for item in self.items if item.state != "reuse"]


def make_plan(
    wanted: list[RequestedRun],
    store: Store | None,
    workspace: ResultsFolder,
    device: torch.device,
    *,
    fresh: Callable[[str], bool] = lambda run_id: False,
) -> Plan:
    """What has to be done for these runs.

    A dependency is planned only where its weights are needed: behind a run that must still train.
    `fresh` says which run ids are to be trained anew, finished or not.

    Raises:
        StoreError: if the store does not answer.
    """
    trainings = store.trainings() if store else {}
    known = calibrated(workspace.results, device_name(device))
    speed = SpeedHistory.measured(trainings, device.type, known, workspace.reference)
    return _Planner(trainings, store, workspace, speed, fresh).plan(wanted)


def current(runs: list[StoredRun], workspace: ResultsFolder) -> StoredRun | None:
    """Of a training's runs in the store the finished one, else the one that can be continued here."""
    finished = next((run for run in runs if run.status == FINISHED), None)
    own = (run for run in runs if run.tags.get("cdd.workplace") == workspace.name)
    return finished or next((run for run in own if workspace.has_files(run.run_id)), None)


@dataclass
class _Planner:
    trainings: Mapping[str, list[StoredRun]]
    store: Store | None
    workspace: ResultsFolder
    speed: SpeedHistory
    fresh: Callable[[str], bool]
    items: dict[str, PlannedRun] = field(default_factory=dict)

    def plan(self, wanted: list[RequestedRun]) -> Plan:
        labels: dict[str, list[str]] = {}
        for requested in wanted:
            known = labels.setdefault(requested.recipe.run_id, [])
            if (name := requested.name or requested.label) not in known:
                known.append(name)
        for requested in wanted:
            self._add(requested.recipe, labels, requested.label, weights_needed=False)
        items = list(self.items.values())
        if any(item.state != "reuse" for item in items):
            roles = _roles(requested.recipe for requested in wanted)
            items = [replace(item, role=_role(item.recipe, roles)) for item in items]
        return Plan(tuple(items), tuple(wanted))

    def _add(
        self, recipe: Recipe, labels: Mapping[str, list[str]], name: str, *, weights_needed: bool
    ) -> None:
        known = self.items.get(recipe.run_id)
        if known and not (weights_needed and known.state == "reuse" and not self._has_weights(known)):
            return
        item = self._judged(recipe, tuple(labels.get(recipe.run_id, [name])))
        if weights_needed and item.state == "reuse" and not self._has_weights(item):
            item = self._item(recipe, item.labels, "run", "finished, but its weights are gone", renew=True)
        if item.state in ("run", "resume"):
            for before in recipe.dependencies:
                name = f"{role(before, recipe)} of {item.labels[0]}"
                self._add(before, labels, name, weights_needed=True)
        # A run that was planned before its weights were asked for moves behind its own dependencies.
        self.items.pop(recipe.run_id, None)
        self.items[recipe.run_id] = item

    def _judged(self, recipe: Recipe, labels: tuple[str, ...]) -> PlannedRun:
        run_id = recipe.run_id
        runs = self.trainings.get(run_id, [])
        stored = current(runs, self.workspace)
        here = self.workspace.has_files(run_id)
        if self.fresh(run_id):
            return self._item(recipe, labels, "run", "asked for anew (--fresh)", renew=True)
        if stored and stored.status == FINISHED:
            return self._judged_finished(recipe, labels, stored)
        if (self.workspace.folder(run_id) / RESULT).exists():
            return self._item(recipe, labels, "deliver", self._not_uploaded(run_id), stored)
        if here:
            return self._item(recipe, labels, "resume", _stopped(stored, recipe), stored)
        if runs:
            return self._item(recipe, labels, "run", "begun before, but its checkpoints are not here")
        return self._item(recipe, labels, "run", "never run")

    def _judged_finished(self, recipe: Recipe, labels: tuple[str, ...], found: StoredRun) -> PlannedRun:
        differing = self.store.differing_fields(found, recipe) if self.store else []
        if differing:
            reason = f"finished under other defaults of {', '.join(differing)}"
            return self._item(recipe, labels, "run", reason, renew=True)
        how = "imported, finished" if IMPORTED in found.tags else "finished"
        return self._item(recipe, labels, "reuse", f"{how} {found.finished_at}", found)

    def _item(
        self,
        recipe: Recipe,
        labels: tuple[str, ...],
        state: State,
        reason: str,
        stored: StoredRun | None = None,
        *,
        renew: bool = False,
    ) -> PlannedRun:
        done = stored.epochs if stored and state == "resume" else 0
        cost = (
            estimate(recipe, self.speed, done)
            if state in ("run", "resume")
            else Estimate(0.0, "nothing to train")
        )
        return PlannedRun(recipe, labels, state, reason, cost, stored, renew)

    def _not_uploaded(self, run_id: str) -> str:
        try:
            load_result(self.workspace.folder(run_id))
        except DataError as error:
            return f"trained, but {error}"
        return "trained, but the store does not have it yet"

    def _has_weights(self, item: PlannedRun) -> bool:
        if (self.workspace.folder(item.run_id) / WEIGHTS).exists():
            return True
        return bool(self.store and item.stored and self.store.has_file(item.stored.mlflow_id, WEIGHTS))


def role(before: Recipe, recipe: Recipe) -> str:
    """What a run is to the one that needs it."""
    if before.data.use == "pretraining":
        return "pretraining"
    return "base" if before == recipe.initialisation else "teacher"


def _roles(recipes: Iterable[Recipe]) -> dict[str, str]:
    """What every run that these need is to the one that needs it, by run id."""
    found: dict[str, str] = {}
    for recipe in recipes:
        found |= {before.run_id: role(before, recipe) for before in recipe.dependencies}
        found |= _roles(recipe.dependencies)
    return found


def _role(recipe: Recipe, roles: Mapping[str, str]) -> str:
    return "student" if recipe.teacher else roles.get(recipe.run_id, "student")


def _stopped(stored: StoredRun | None, recipe: Recipe) -> str:
    if stored is None:
        return "its checkpoints are here"
    how = "failed" if stored.status == FAILED else "stopped"
    return f"{how} after epoch {stored.epochs} of {recipe.schedule.epochs}"
