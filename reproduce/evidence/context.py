"""Runs, records and reference that an artifact is drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cdd.training.environment import Machine
from experiments.schema.scale import Scale
from reproduce.storage.run_record import RecordFolder, RunRecord

if TYPE_CHECKING:
    from reproduce.execution.outcome import Outcome
    from reproduce.planning.requested_run import RequestedRun
    from reproduce.statistics.claim_verdict import ClaimVerdict
    from reproduce.tracking.finished_runs import FinishedRuns

FIGURES = "figures"


Origin = Literal["yours", "reference"]
"""Whose runs are drawn: those of the user's results folder, or those that are committed."""


@dataclass(frozen=True)
class ReferenceRuns:
    """The committed runs behind an artifact, for all seeds that have them; attributes as of `Material`."""

    requested_runs: "list[RequestedRun]"
    outcomes: "Mapping[str, Outcome]"
    folder: Path
    judged: "tuple[ClaimVerdict, ...]" = ()

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """By run id, each read when it is asked for."""
        return RecordFolder(self.folder)


@dataclass(frozen=True, kw_only=True)
class RenderContext:
    """Runs and what is known of them; outcomes and records are by run id.

    Attributes:
        origin: whose runs these are.
        reference: what the user's are shown beside; None where the reference itself is drawn, or has none.
        folder: where the artifact's files go, tables and figures in folders of their own.
        source: the folder that has the records of these runs; None for `folder`.
        files: where pictures of images find the networks of runs.
        machine: where they find the images, and compute.
        judged: the claims about the artifact, as the ledger judges them.
    """

    scale: Scale
    requested_runs: "list[RequestedRun]"
    outcomes: "Mapping[str, Outcome]"
    records: Mapping[str, RunRecord] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    origin: Origin = "yours"
    reference: ReferenceRuns | None = None
    folder: Path = Path("results")
    source: Path | None = None
    files: "FinishedRuns | None" = None
    machine: Machine = Machine()
    judged: "tuple[ClaimVerdict, ...]" = ()

    def of_reference(self) -> "RenderContext":
        """The reference's own runs, to be drawn as these are."""
        found = self.reference
        if found is None:
            raise ValueError("there are no committed runs of this artifact to draw")
        return replace(
            self,
            requested_runs=found.requested_runs,
            outcomes=found.outcomes,
            records=found.records,
            origin="reference",
            reference=None,
            source=found.folder,
            judged=found.judged,
        )

    @property
    def records_folder(self) -> Path:
        """Where the records, per-query results and drawn numbers of these runs lie."""
        return self.source or self.folder
