"""State of each artifact from files alone: no recipe is made and no store is read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cdd.files import atomic_write
from reproduce.storage.results_folder import ResultsFolder

State = Literal["never run", "reference", "partly", "complete"]
FOLDER = "requested"


@dataclass(frozen=True)
class ArtifactState:
    """What there is of one artifact at one scale.

    Attributes:
        state: of the user's runs; `reference` where there are only the committed ones.
        finished: how many of the runs that were last asked for have finished.
        runs: how many were asked for; 0 where none ever were.
    """

    state: State
    finished: int = 0
    runs: int = 0


def note_requested(workspace: ResultsFolder, scale: str, artifact: str, run_ids: Iterable[str]) -> None:
    """Writes down which runs an artifact shall show."""
    path = workspace.scale_folder(scale) / FOLDER / f"{artifact}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(sorted(set(run_ids))))


def state_of(workspace: ResultsFolder, scale: str, artifact: str) -> ArtifactState:
    """What there is of an artifact."""
    path = workspace.scale_folder(scale) / FOLDER / f"{artifact}.json"
    if path.exists():
        run_ids = json.loads(path.read_text(encoding="utf-8"))
        finished = sum(1 for run_id in run_ids if _is_finished(workspace, scale, run_id))
        return ArtifactState("complete" if finished == len(run_ids) else "partly", finished, len(run_ids))
    pages = (workspace.reference / scale).glob(f"*/{artifact}.md")
    return ArtifactState("reference" if any(pages) else "never run")


def _is_finished(workspace: ResultsFolder, scale: str, run_id: str) -> bool:
    record = workspace.scale_folder(scale) / "runs" / f"{run_id}.json"
    return record.exists() or (workspace.folder(run_id) / "result.json").exists()
