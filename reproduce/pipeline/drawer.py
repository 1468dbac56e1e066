"""Tables and figures of the user's runs beside the reference, or of the reference where there are none."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cdd.recipe import Recipe
from cdd.training.environment import Machine
from experiments.schema.figure import Artifact, TradeoffScatter
from experiments.schema.scale import Scale
from reproduce.claims.evaluate import judged_rows
from reproduce.errors import StoreError
from reproduce.evidence.context import Origin, ReferenceRuns, RenderContext
from reproduce.evidence.run_lookup import RunLookup, evidence_of
from reproduce.execution.known_runs import KnownRuns
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import Outcome, stored_outcomes
from reproduce.figures.render import draw_artifact
from reproduce.planning.overrides import Overrides
from reproduce.planning.requested_run import RequestedRun, requested_runs
from reproduce.statistics.claim_verdict import ClaimVerdict
from reproduce.storage.provenance import CodeVersion
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import RecordFolder
from reproduce.tables.rendered_table import RenderedTable
from reproduce.tracking.finished_runs import FinishedRuns
from reproduce.tracking.store import Store, existing_store

SEEDS_SHOWN = range(10)


@dataclass(frozen=True)
class RenderedArtifact:
    """One artifact after a command: its sheet, its files, what became of its runs, and what they are.

    Attributes:
        known: the outcomes of those runs and of all that they needed.
        origin: whose runs these are.
        judged: the claims about the artifact.
    """

    sheet: RenderedTable
    files: list[Path]
    outcomes: Mapping[str, Outcome]
    trained: int = 0
    requested_runs: tuple[RequestedRun, ...] = ()
    known: Mapping[str, Outcome] = field(default_factory=dict)
    origin: Origin = "yours"
    judged: tuple[ClaimVerdict, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every run has numbers that the store has, too."""
        return all(outcome.state in ("finished", "reused") for outcome in self.outcomes.values())


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """The runs of one scale, or of one set of overrides, and the pictures of them.

    Attributes:
        seeds: that are drawn; None for those that have results.
        origin: `reference` for the committed runs alone, drawn into the reference's own folder.
    """

    workspace: ResultsFolder
    scale: Scale
    seeds: list[int] | None
    code: CodeVersion
    listener: Listener
    overrides: Overrides = Overrides()
    machine: Machine = Machine()
    origin: Origin = "yours"

    @property
    def folder(self) -> Path:
        """Where tables and figures go; the user's records lie there, too."""
        if self.origin == "reference":
            return self.reference_folder
        return self.workspace.scale_folder(self.scale, self.overrides.digest if self.overrides else None)

    @property
    def reference_folder(self) -> Path:
        """Where the committed ones lie."""
        return self.workspace.reference / self.scale

    def requested_runs(self, artifact: Artifact, seeds: Iterable[int]) -> list[RequestedRun]:
        """The runs that an artifact shows for these seeds."""
        return requested_runs(artifact, self.scale, list(seeds), self.overrides)

    def known(self, recipes: Iterable[Recipe]) -> dict[str, Outcome]:
        """What store and records say of these runs of the user, and of those that they needed."""
        if self.origin == "reference":
            return {}
        return self.own.outcomes(_with_dependencies(recipes), *self._stored)

    def show(self, artifact: Artifact) -> RenderedArtifact:
        """The artifact from what is known; from the reference where the user has no run of it."""
        wanted = self.requested_runs(artifact, self._seeds)
        known = self.known(requested.recipe for requested in wanted)
        if not any(requested.recipe.run_id in known for requested in wanted):
            return self._draw_reference(artifact)
        return self.draw(artifact, self._chosen(artifact, wanted, known), known)

    def draw(
        self, artifact: Artifact, wanted: list[RequestedRun], known: Mapping[str, Outcome], trained: int = 0
    ) -> RenderedArtifact:
        """The artifact from these runs of the user, beside the reference."""
        reference = self._reference(artifact, SEEDS_SHOWN, chosen=True)
        material = replace(
            self._material(
                wanted, known, self.folder, judged_rows(artifact.name, self._evidence_of(self.folder))
            ),
            reference=reference if reference.outcomes else None,
        )
        return replace(_drawn(artifact, material, known), trained=trained)

    def _draw_reference(self, artifact: Artifact) -> RenderedArtifact:
        found = self._reference(artifact, self._seeds, chosen=self.seeds is None)
        material = self._material(found.requested_runs, found.outcomes, self.reference_folder, found.judged)
        return _drawn(artifact, replace(material, origin="reference"), found.outcomes)

    @cached_property
    def own(self) -> KnownRuns:
        """The user's runs."""
        return KnownRuns(self.workspace, self.folder, self.listener)

    @cached_property
    def _stored(self) -> tuple[Mapping[str, Outcome], Store | None]:
        try:
            store = existing_store(self.workspace, self.code)
            return stored_outcomes(store), store
        except StoreError as error:
            self.listener.warned(f"{error} Drawing from the records below {self.folder} alone.")
            return {}, None

    @property
    def _seeds(self) -> Iterable[int]:
        return SEEDS_SHOWN if self.seeds is None else self.seeds

    def _chosen(
        self, artifact: Artifact, wanted: list[RequestedRun], known: Mapping[str, Outcome]
    ) -> list[RequestedRun]:
        return wanted if self.seeds is not None else _with_results(artifact, wanted, known)

    def _reference(self, artifact: Artifact, seeds: Iterable[int], *, chosen: bool) -> ReferenceRuns:
        """The committed runs of an artifact; `chosen` leaves out seeds that lack results."""
        wanted = self.requested_runs(artifact, seeds)
        runs = KnownRuns(self.workspace, self.reference_folder, self.listener)
        known = runs.outcomes(_with_dependencies(requested.recipe for requested in wanted))
        shown = _with_results(artifact, wanted, known) if chosen else wanted
        judged = judged_rows(artifact.name, self._reference_evidence)
        return ReferenceRuns(shown, known, self.reference_folder, judged)

    def _material(
        self,
        wanted: list[RequestedRun],
        known: Mapping[str, Outcome],
        source: Path,
        judged: tuple[ClaimVerdict, ...],
    ) -> RenderContext:
        shown = {requested.recipe.run_id for requested in wanted} & known.keys()
        return RenderContext(
            scale=self.scale,
            requested_runs=wanted,
            outcomes={run_id: known[run_id] for run_id in known if run_id in shown},
            records=RecordFolder(source),
            overrides=tuple(self.overrides.texts),
            folder=self.folder,
            source=source,
            files=FinishedRuns(self.workspace, self.code),
            machine=self.machine,
            judged=judged,
        )

    @cached_property
    def _reference_evidence(self) -> RunLookup:
        """Read once: nothing changes it while a command runs."""
        return self._evidence_of(self.reference_folder)

    def _evidence_of(self, folder: Path) -> RunLookup:
        return evidence_of(folder, self.scale, self.overrides)


def _drawn(artifact: Artifact, material: RenderContext, known: Mapping[str, Outcome]) -> RenderedArtifact:
    sheet, files = draw_artifact(artifact, material)
    return RenderedArtifact(
        sheet,
        files,
        material.outcomes,
        requested_runs=tuple(material.requested_runs),
        known=known,
        origin=material.origin,
        judged=material.judged,
    )


def _with_dependencies(recipes: Iterable[Recipe]) -> Iterator[Recipe]:
    for recipe in recipes:
        yield recipe
        yield from _with_dependencies(recipe.dependencies)


def _with_results(
    artifact: Artifact, wanted: list[RequestedRun], known: Mapping[str, Outcome]
) -> list[RequestedRun]:
    """Without seeds that lack results, so that rows are compared over the same seeds; else those with any."""
    whole = not isinstance(artifact, TradeoffScatter)
    having = {requested.recipe.seed for requested in wanted if requested.recipe.run_id in known}
    lacking = {requested.recipe.seed for requested in wanted if requested.recipe.run_id not in known}
    seeds = (having - lacking if whole else set()) or having or {0}
    return [requested for requested in wanted if requested.recipe.seed in seeds]
