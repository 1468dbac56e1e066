"""What any artifact is drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cdd.training.environment import Machine
from reproduce.artifact import Scale
from reproduce.execute import Outcome
from reproduce.plan import Wish
from reproduce.records import Record

if TYPE_CHECKING:
    from reproduce.finished_run import FinishedRuns
    from reproduce.judged_claim import JudgedClaim

FIGURES = "figures"


@dataclass(frozen=True, kw_only=True)
class Material:
    """Runs and what is known of them; outcomes and records are by run id.

    Attributes:
        folder: where the artifact's files go, tables and figures in folders of their own.
        files: where pictures of images find the networks of runs.
        machine: where they find the images, and compute.
        judged: the claims about the artifact, as the ledger judges them.
    """

    scale: Scale
    wishes: list[Wish]
    outcomes: Mapping[str, Outcome]
    records: Mapping[str, Record] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    folder: Path = Path("results")
    files: "FinishedRuns | None" = None
    machine: Machine = Machine()
    judged: "tuple[JudgedClaim, ...]" = ()
