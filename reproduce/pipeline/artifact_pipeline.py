"""Pipeline of one command, from the names of artifacts to files; prints nothing."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from cdd.training.environment import Machine, device_name
from experiments import registry
from experiments.schema.figure import Artifact
from experiments.schema.scale import Scale
from reproduce.evidence.context import Origin
from reproduce.execution.executor import ExecutionContext, RunLauncher, Train, execute
from reproduce.execution.invocation import Invocation
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import RunCounter
from reproduce.pipeline.drawer import Drawer, RenderedArtifact
from reproduce.planning.duration import Measure, calibrate
from reproduce.planning.overrides import Overrides, parse
from reproduce.planning.plan import Plan, make_plan
from reproduce.planning.preflight import remarks_on, require_ready, require_trainable, usable_device
from reproduce.planning.requested_run import RequestedRun
from reproduce.storage.provenance import code_version
from reproduce.storage.requested_runs import note_requested
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tables.text import markdown
from reproduce.tracking.store import ARTIFACT, SCALE, Store, existing_store, open_store


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the command line asked for.

    Attributes:
        seeds: None for those that have results.
        origin: `reference` draws the committed runs alone, into the reference's own folder.
        elsewhere: whether other machines train, whose files this one cannot see.
    """

    names: list[str]
    scale: Scale
    seeds: list[int] | None
    changes: list[str] = field(default_factory=list)
    results: Path = Path("results")
    machine: Machine = Machine()
    fresh: bool = False
    origin: Origin = "yours"
    elsewhere: bool = False


class ArtifactPipeline:
    """The tables, overrides and folders of one request."""

    def __init__(self, request: RunOptions, listener: Listener, launch: RunLauncher = execute):
        self.request, self.listener, self._launch = request, listener, launch
        self.overrides: Overrides = parse(request.changes)
        self.artifacts: list[Artifact] = [registry.find(name) for name in dict.fromkeys(request.names)]
        self.workspace = ResultsFolder(request.results.resolve())
        self.code = code_version()
        self.drawer = Drawer(
            workspace=self.workspace,
            scale=request.scale,
            seeds=request.seeds,
            overrides=self.overrides,
            machine=request.machine,
            code=self.code,
            listener=listener,
            origin=request.origin,
        )
        self._settled: set[str] = set()
        self._counter = RunCounter()

    def plan(self, measure: Measure | None = None) -> Plan:
        """One plan for all artifacts together, from what is stored.

        Args:
            measure: measures the pace of what has no estimate yet; it is kept beside the results.
        """
        wanted = [
            requested
            for artifact in self.artifacts
            for requested in self.drawer.requested_runs(artifact, self.request.seeds or [0])
        ]
        store = existing_store(self.workspace, self.code)
        plan = self._plan(wanted, store)
        plan = replace(plan, remarks=remarks_on((i.recipe for i in plan.work), self.request.machine))
        unknown = [item.recipe for item in plan.work if item.estimate.seconds is None]
        if measure is None or not unknown:
            return plan
        device = device_name(usable_device(self.request.machine.device))
        calibrate(unknown, self.workspace.results, device, measure)
        return replace(self._plan(wanted, store), remarks=plan.remarks)

    def run(self, train: Train) -> list[RenderedArtifact]:
        """Trains what is missing and draws every artifact.

        Raises:
            UsageError: for a request that cannot be done.
            StoreError: if the tracking store cannot be reached before any work.
        """
        wanted = {
            artifact.name: self.drawer.requested_runs(artifact, self.request.seeds or [0])
            for artifact in self.artifacts
        }
        everything = [requested for each in wanted.values() for requested in each]
        plan = self._plan(everything, existing_store(self.workspace, self.code))
        training = (item.recipe for item in plan.work)
        require_ready(training, self.request.machine, elsewhere=self.request.elsewhere)
        self.workspace.check_writable()
        store = open_store(self.workspace, self.code)
        for artifact in self.artifacts:  # One that was deleted stops the command before any training.
            store.experiment(self._experiment(artifact))
        self._counter = RunCounter(len(plan.work))
        self.listener.planned(plan.work)
        return [
            self._run_artifact(artifact, wanted[artifact.name], store, train) for artifact in self.artifacts
        ]

    def show(self) -> list[RenderedArtifact]:
        """Draws every artifact from what is known; trains nothing.

        An artifact without any finished run of the user is drawn from the reference.
        """
        return [self.drawer.show(artifact) for artifact in self.artifacts]

    def _plan(self, wanted: list[RequestedRun], store: Store | None) -> Plan:
        device = usable_device(self.request.machine.device)
        plan = make_plan(wanted, store, self.workspace, device, fresh=self._is_fresh)
        require_trainable((item.recipe for item in plan.work), self.overrides.texts)
        return plan

    def _is_fresh(self, run_id: str) -> bool:
        return self.request.fresh and run_id not in self._settled

    def _run_artifact(
        self, artifact: Artifact, wanted: list[RequestedRun], store: Store, train: Train
    ) -> RenderedArtifact:
        plan = self._plan(wanted, store)
        scale = self.request.scale
        if not self.overrides:
            note_requested(
                self.workspace, scale, artifact.name, (requested.recipe.run_id for requested in wanted)
            )
        name = "-".join([artifact.name, scale, *([self.overrides.digest] if self.overrides else [])])
        with Invocation(store, self.listener, self._experiment(artifact), name) as own:
            tags = self._tags(artifact)
            if plan.work:
                own.begin(f"{artifact.name}, {scale}, seeds {tags['cdd.seeds']}", tags)
            job = ExecutionContext(
                store=store,
                workspace=self.workspace,
                published=self.drawer.folder,
                experiment=own.experiment,
                parent=own.parent,
                train=train,
                machine=self.request.machine,
                listener=self.listener,
                counter=self._counter,
                tags={ARTIFACT: artifact.name, SCALE: scale},
            )
            drawn = self._executed(plan, artifact, job)
            own.end(
                complete=drawn.complete,
                files=drawn.files,
                metrics=drawn.sheet.means,
                description=markdown(drawn.sheet),
            )
            return drawn

    def _experiment(self, artifact: Artifact) -> str:
        return f"{artifact.name}-{self.request.scale}"

    def _tags(self, artifact: Artifact) -> dict[str, str]:
        return {
            ARTIFACT: artifact.name,
            SCALE: self.request.scale,
            "cdd.seeds": ",".join(map(str, self.request.seeds or [0])),
            "cdd.overrides": " ".join(self.overrides.texts),
        }

    def _executed(self, plan: Plan, artifact: Artifact, job: ExecutionContext) -> RenderedArtifact:
        outcomes = self._launch(plan, job)
        self._settled.update(outcomes)
        for item in plan.items:
            self.drawer.own.settled(item.recipe, outcomes.get(item.run_id), job.store)
        drawn = self.drawer.draw(artifact, list(plan.requested_runs), outcomes, len(plan.work))
        # A dependency that failed leaves the table incomplete even where no row shows it.
        return replace(drawn, outcomes=outcomes)
