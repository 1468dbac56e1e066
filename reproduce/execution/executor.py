"""Does what a plan says: trains, continues, delivers, in order; what depends on a failed run is left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import Timeout

from cdd.errors import DataError
from cdd.recipe import Recipe
from cdd.result import WEIGHTS, Result, load_result
from cdd.training.environment import Machine
from cdd.training.observer import Observer
from reproduce.errors import PrunedError, StoreError
from reproduce.execution.listener import Listener
from reproduce.execution.metric_upload import MetricUploader
from reproduce.execution.outcome import Outcome, RunCounter, reused
from reproduce.planning.plan import Plan, PlannedRun, current
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import full_environment, note_source, write_record
from reproduce.tracking.store import FAILED, FINISHED, KILLED, ROLE, SCALE, Store, StoredRun
from reproduce.tracking.training_run import Placement, TrackedRun, open_run

Train = Callable[..., Result]
"""`cdd.run.run`, or what stands in for it in a test."""

PRUNED = "pruned"
TRAINING_ERRORS = (RuntimeError, ValueError, OSError)


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """Everything that the runs of one invocation share.

    Attributes:
        published: folder that records and tables go to.
        parent: the invocation's run in the store; None where there is nothing to train.
        counter: numbers the runs of the whole command.
        tags: what the runs say of the invocation: its scale, its artifact or study.
    """

    store: Store
    workspace: ResultsFolder
    published: Path
    experiment: str
    parent: str | None
    train: Train
    machine: Machine
    listener: Listener
    counter: RunCounter = field(default_factory=RunCounter)
    tags: Mapping[str, str] = field(default_factory=dict)


RunLauncher = Callable[[Plan, ExecutionContext], dict[str, Outcome]]
"""Does what a plan says; gives the outcome of every run of the plan, by run id, in the plan's order."""


def execute(plan: Plan, job: ExecutionContext) -> dict[str, Outcome]:
    """Does it here, one run after the other."""
    outcomes: dict[str, Outcome] = {}
    for item in plan.items:
        if item.state == "reuse" and item.stored:
            outcomes[item.run_id] = reused(item.stored)
            continue
        job.listener.run_started(item, *job.counter.place(item.run_id))
        outcomes[item.run_id] = outcome = outcome_of(item, outcomes, job)
        job.listener.run_ended(item, outcome.words)
    return outcomes


def outcome_of(item: PlannedRun, before: Mapping[str, Outcome], job: ExecutionContext) -> Outcome:
    """Does what is to be done for one run; `before` has the outcomes of those that it needs."""
    return skipped(item, before) or RunExecutor(item, job).outcome()


def skipped(item: PlannedRun, before: Mapping[str, Outcome]) -> Outcome | None:
    """The outcome of a run that cannot begin, because one that it needs failed; None where it can."""
    lost = [needed for needed in item.recipe.dependencies if not _usable(before, needed)]
    if not lost or item.state == "deliver":
        return None
    names = ", ".join(needed.run_id for needed in lost)
    return Outcome(state="skipped", message=f"it needs {names}, which failed")


def placement(item: PlannedRun, job: ExecutionContext) -> Placement:
    """Where a run of the plan appears in the store: its name and what it says of itself."""
    recipe, row, scale = item.recipe, " = ".join(item.labels), job.tags.get(SCALE, "")
    tags = {
        ROLE: item.role,
        "cdd.method": type(recipe.method).__name__,
        "cdd.row": row,
        "cdd.seed": str(recipe.seed),
    }
    name = ", ".join(word for word in (row, scale, f"seed {recipe.seed}") if word)
    return Placement(job.experiment, job.parent, name, {**job.tags, **tags})


def _usable(outcomes: Mapping[str, Outcome], recipe: Recipe) -> bool:
    return recipe.run_id not in outcomes or outcomes[recipe.run_id].usable


class RunExecutor:
    """One run of a plan, alone on its folder."""

    def __init__(self, item: PlannedRun, job: ExecutionContext):
        self.item, self.job = item, job
        self.recipe, self.folder = item.recipe, job.workspace.folder(item.run_id)
        self.store, self.listener = job.store, job.listener

    def outcome_if_free(self) -> Outcome | None:
        """Does what is still to be done; None where another process is doing it."""
        try:
            held = self.job.workspace.lock(self.item.run_id).acquire(timeout=0)
        except Timeout:
            return None
        with held:
            return self._locked(waited=False)

    def outcome(self) -> Outcome:
        """Waits for the run's lock, then does what is still to be done."""
        lock = self.job.workspace.lock(self.item.run_id)
        try:
            held, waited = lock.acquire(timeout=0), False
        except Timeout:
            self.listener.warned(f"{self.item.name} is being run by another process: waiting for it to end.")
            held, waited = lock.acquire(), True
        with held:
            return self._locked(waited)

    def _locked(self, waited: bool) -> Outcome:
        stored = None
        if self.item.renew and not waited:
            self._renew()
        else:
            stored = self._stored_by_now()
            if stored and stored.status == FINISHED:
                return reused(stored)
        delivery = MetricUploader(
            lambda: self._open(stored),
            self.listener,
            self.recipe,
            stored.epochs if stored else 0,
        )
        try:
            result = self._result(delivery)
        except KeyboardInterrupt:
            self._end(delivery, KILLED, "interrupted")
            raise
        except PrunedError as error:
            self._end(delivery, KILLED, str(error))
            return Outcome(state=PRUNED, message=str(error))
        except TRAINING_ERRORS as error:
            self._end(delivery, FAILED, str(error))
            return Outcome(state="failed", message=str(error))
        except Exception as error:
            self._end(delivery, FAILED, f"{type(error).__name__}: {error}")
            raise
        return self._upload(delivery, result)

    def _stored_by_now(self) -> StoredRun | None:
        """What the store has, now that nobody else works on the run; others may have since it was planned."""
        try:
            return current(self.store.trainings().get(self.item.run_id, []), self.job.workspace)
        except StoreError:
            return self.item.stored  # The delivery says that the store is out of reach.

    def _renew(self) -> None:
        self.job.workspace.set_aside(self.item.run_id)
        self.store.supersede(self.store.trainings().get(self.item.run_id, []), self.item.reason)

    def _open(self, stored: StoredRun | None) -> TrackedRun:
        place = placement(self.item, self.job)
        unfinished = stored if stored and stored.status != FINISHED else None
        return open_run(self.store, self.recipe, place, unfinished)

    def _result(self, delivery: MetricUploader) -> Result:
        finished = load_result(self.folder)
        if finished:
            return finished
        weights = {before.run_id: self._weights(before) for before in self.recipe.dependencies}
        note_source(self.folder, self.store.code)
        delivery.connect()
        return self._trained(weights, delivery)

    def _trained(self, weights: dict[str, Path], observer: Observer) -> Result:
        return self.job.train(
            self.recipe,
            self.folder,
            weights=weights,
            machine=self.job.machine,
            observer=observer,
        )

    def _weights(self, recipe: Recipe) -> Path:
        """The dependency's weights, fetched from the store where its folder is gone."""
        folder = self.job.workspace.folder(recipe.run_id)
        if (folder / WEIGHTS).exists():
            return folder / WEIGHTS
        for run in self.store.trainings().get(recipe.run_id, []):
            fetched = self.store.download(
                run.mlflow_id, WEIGHTS, self.folder / "dependencies" / recipe.run_id
            )
            if run.status == FINISHED and fetched:
                return fetched
        raise StoreError(
            f"the weights of {recipe.run_id} are neither in {folder} nor in the store: give the command "
            "again, which trains that run anew"
        )

    def _end(self, delivery: MetricUploader, status: str, message: str) -> None:
        delivery.close()
        if delivery.tracked:
            try:
                self.store.finish(delivery.tracked.mlflow_id, status, {"cdd.message": message[:5000]})
            except StoreError as error:
                self.listener.warned(str(error))

    def _upload(self, delivery: MetricUploader, result: Result) -> Outcome:
        environment = full_environment(self.folder, result)
        write_record(self.job.published, self.recipe, result, environment)
        delivery.close()
        try:
            delivery.opened().complete(self.recipe, result, self.folder)
        except (StoreError, DataError) as error:
            return Outcome(
                state="undelivered", message=str(error), metrics=result.metrics, environment=environment
            )
        return Outcome(state="finished", metrics=result.metrics, environment=environment)
