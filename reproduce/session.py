"""What one command does, from names to files; says nothing itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from filelock import Timeout

from cdd.recipe import Recipe
from cdd.run import RESULT, Result, load_result
from cdd.training.environment import Machine, device_name, select_device
from reproduce import catalog
from reproduce.artifact import Scale, Table
from reproduce.calibration import Measure, calibrate
from reproduce.drawing import draw_artifact
from reproduce.errors import StoreError, UsageError
from reproduce.execute import Job, Launch, Outcome, Train, execute
from reproduce.finished_run import FinishedRuns
from reproduce.judgement import judged_rows
from reproduce.listener import Listener
from reproduce.material import Material
from reproduce.overrides import Overrides, parse
from reproduce.picture import Artifact, Cloud
from reproduce.plan import Plan, Wish, make_plan, wishes
from reproduce.records import read_records, write_record
from reproduce.sheet import Sheet
from reproduce.source import source
from reproduce.stored_outcomes import stored_outcomes
from reproduce.tracking import FAILED, FINISHED, KILLED, Store, existing_store, open_store
from reproduce.workspace import Workspace

SEEDS_SHOWN = range(10)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for. `seeds` is None for the seeds that have results."""

    names: list[str]
    scale: Scale
    seeds: list[int] | None
    changes: list[str] = field(default_factory=list)
    results: Path = Path("results")
    machine: Machine = Machine()
    fresh: bool = False


@dataclass(frozen=True)
class Drawn:
    """One artifact after a command: its sheet, its files, what became of its runs, and what they are."""

    sheet: Sheet
    files: list[Path]
    outcomes: Mapping[str, Outcome]
    trained: int = 0
    wishes: tuple[Wish, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every run has numbers that the store has, too."""
        return all(outcome.state in ("finished", "reused") for outcome in self.outcomes.values())


class Session:
    """The tables, overrides and folders of one request."""

    def __init__(self, request: Request, listener: Listener, launch: Launch = execute):
        self.request, self.listener, self._launch = request, listener, launch
        self.overrides: Overrides = parse(request.changes)
        self.artifacts: list[Artifact] = [catalog.find(name) for name in dict.fromkeys(request.names)]
        self.workspace = Workspace(request.results.resolve())
        overridden = self.overrides.digest if self.overrides else None
        self.published = self.workspace.published(request.scale, overridden)
        self.code = source()
        self._settled: set[str] = set()
        self._begun, self._runs = 0, 0

    def plan(self, measure: Measure | None = None) -> Plan:
        """One plan for all artifacts together, from what is stored.

        Args:
            measure: measures the pace of what has no estimate yet; it is kept beside the results.
        """
        wanted = [
            wish for artifact in self.artifacts for wish in self._wishes(artifact, self.request.seeds or [0])
        ]
        store = existing_store(self.workspace, self.code)
        plan = self._plan(wanted, store)
        unknown = [item.recipe for item in plan.work if item.estimate.seconds is None]
        if measure is None or not unknown:
            return plan
        device = device_name(select_device(self.request.machine.device))
        calibrate(unknown, self.workspace.results, device, measure)
        return self._plan(wanted, store)

    def run(self, train: Train) -> list[Drawn]:
        """Trains what is missing and draws every artifact.

        Raises:
            UsageError: for a request that cannot be done.
            StoreError: if the tracking store cannot be reached before any work.
        """
        wanted = {
            artifact.name: self._wishes(artifact, self.request.seeds or [0]) for artifact in self.artifacts
        }
        self.workspace.check_writable()
        store = open_store(self.workspace, self.code)
        everything = [wish for each in wanted.values() for wish in each]
        self._begun, self._runs = 0, len(self._plan(everything, store).work)
        return [
            self._run_artifact(artifact, wanted[artifact.name], store, train) for artifact in self.artifacts
        ]

    def show(self) -> list[Drawn]:
        """Draws every artifact from what is known; trains nothing."""
        return [self._shown(artifact, self.known) for artifact in self.artifacts]

    @cached_property
    def known(self) -> dict[str, Outcome]:
        """What the store and, where it has nothing, the records say of every run."""
        known = self.bring_records(
            wish.recipe for artifact in self.artifacts for wish in self._wishes(artifact, self._seeds_shown)
        )
        for run_id, record in read_records(self.published).items():
            if run_id not in known or known[run_id].state == "failed":
                known[run_id] = Outcome(
                    state="finished", metrics=record.metrics, environment=record.environment
                )
        return known

    def bring_records(self, recipes: Iterable[Recipe]) -> dict[str, Outcome]:
        """What the store knows of all runs; records of these recipes are written where only it has them."""
        try:
            store = existing_store(self.workspace, self.code)
            known = stored_outcomes(store)
            if store:
                self._complete_records(recipes, known, store)
        except StoreError as error:
            self.listener.warned(f"{error} Drawing from the records below {self.published} alone.")
            return {}
        return known

    @property
    def _seeds_shown(self) -> list[int]:
        return list(SEEDS_SHOWN) if self.request.seeds is None else self.request.seeds

    def _wishes(self, artifact: Artifact, seeds: list[int]) -> list[Wish]:
        return wishes(artifact, self.request.scale, seeds, self.overrides)

    def _plan(self, wanted: list[Wish], store: Store | None) -> Plan:
        try:
            device = select_device(self.request.machine.device)
        except (ValueError, RuntimeError) as error:
            raise UsageError(str(error)) from error
        return make_plan(wanted, store, self.workspace, device, fresh=self._is_fresh)

    def _is_fresh(self, run_id: str) -> bool:
        return self.request.fresh and run_id not in self._settled

    def _shown(self, artifact: Artifact, known: Mapping[str, Outcome]) -> Drawn:
        wanted = self._wishes(artifact, self._seeds_shown)
        if self.request.seeds is None:
            seeds = _seeds_with_results(wanted, known, whole=not isinstance(artifact, Cloud))
            wanted = [wish for wish in wanted if wish.recipe.seed in seeds]
        return self._draw(artifact, wanted, known)

    def _draw(
        self, artifact: Artifact, wanted: list[Wish], known: Mapping[str, Outcome], trained: int = 0
    ) -> Drawn:
        outcomes = {
            wish.recipe.run_id: known[wish.recipe.run_id] for wish in wanted if wish.recipe.run_id in known
        }
        material = Material(
            scale=self.request.scale,
            wishes=wanted,
            outcomes=outcomes,
            records={} if isinstance(artifact, Table) else read_records(self.published),
            overrides=tuple(self.overrides.texts),
            folder=self.published,
            files=FinishedRuns(self.workspace, self.code),
            machine=self.request.machine,
            judged=judged_rows(artifact.name, self.published, self.request.scale, self.overrides),
        )
        sheet, files = draw_artifact(artifact, material)
        return Drawn(sheet, files, outcomes, trained, tuple(wanted))

    def _run_artifact(self, artifact: Artifact, wanted: list[Wish], store: Store, train: Train) -> Drawn:
        plan = self._plan(wanted, store)
        experiment = store.experiment(f"{artifact.name}-{self.request.scale}")
        invocation = "-".join(
            [artifact.name, self.request.scale, *([self.overrides.digest] if self.overrides else [])]
        )
        lock = self.workspace.lock(f"invocation-{invocation}")
        try:
            lock.acquire(timeout=0)
            store.close_dead_invocations(experiment, invocation)
        except Timeout:
            pass  # Another process works on this table; its parent run is alive.
        try:
            parent = self._parent(store, experiment, invocation, artifact) if plan.work else None
            return self._executed(
                plan,
                artifact,
                Job(
                    store=store,
                    workspace=self.workspace,
                    published=self.published,
                    experiment=experiment,
                    parent=parent,
                    train=train,
                    machine=self.request.machine,
                    listener=self.listener,
                    begun=self._begun,
                    runs=self._runs,
                ),
            )
        finally:
            lock.release()

    def _parent(self, store: Store, experiment: str, invocation: str, artifact: Artifact) -> str:
        seeds = ",".join(map(str, self.request.seeds or [0]))
        tags = {
            "cdd.artifact": artifact.name,
            "cdd.scale": self.request.scale,
            "cdd.seeds": seeds,
            "cdd.invocation": invocation,
            "cdd.overrides": " ".join(self.overrides.texts),
        }
        return store.start_invocation(
            experiment, f"{artifact.name}, {self.request.scale}, seeds {seeds}", tags
        )

    def _executed(self, plan: Plan, artifact: Artifact, job: Job) -> Drawn:
        try:
            outcomes = self._launch(plan, job)
        except BaseException:
            self._close(job, KILLED, [])
            raise
        self._settled.update(outcomes)
        self._begun += len(plan.work)
        self._complete_records([item.recipe for item in plan.items], outcomes, job.store)
        drawn = self._draw(artifact, list(plan.wishes), outcomes, len(plan.work))
        # A dependency that failed leaves the table incomplete even where no row shows it.
        drawn = replace(drawn, outcomes=outcomes)
        self._close(job, FINISHED if drawn.complete else FAILED, drawn.files)
        return drawn

    def _close(self, job: Job, status: str, files: list[Path]) -> None:
        if not job.parent:
            return
        try:
            job.store.upload(job.parent, files, "table")
            job.store.finish(job.parent, status)
        except StoreError as error:
            self.listener.warned(str(error))

    def _complete_records(
        self, recipes: Iterable[Recipe], outcomes: Mapping[str, Outcome], store: Store
    ) -> None:
        """Writes the records of finished runs of the store that have none here."""
        for recipe in recipes:
            run_id = recipe.run_id
            known = outcomes.get(run_id)
            has_record = (self.published / "runs" / f"{run_id}.json").exists()
            if has_record or known is None or known.state not in ("finished", "reused"):
                continue
            result = load_result(self.workspace.folder(run_id)) or self._fetched(run_id, store)
            if result:
                write_record(self.published, recipe, result, known.environment)

    def _fetched(self, run_id: str, store: Store) -> Result | None:
        finished = (run for run in store.trainings().get(run_id, []) if run.status == FINISHED)
        folder = self.workspace.checkpoints / "fetched"
        path = next((store.download(run.mlflow_id, RESULT, folder) for run in finished), None)
        if path is None:
            return None
        result = load_result(path.parent)
        path.unlink()
        return result


def _seeds_with_results(wanted: list[Wish], known: Mapping[str, Outcome], *, whole: bool) -> set[int]:
    """Seeds that have all results, so that rows are compared over the same seeds; else those with any."""
    having = {wish.recipe.seed for wish in wanted if wish.recipe.run_id in known}
    lacking = {wish.recipe.seed for wish in wanted if wish.recipe.run_id not in known}
    return (having - lacking if whole else set()) or having or {0}
