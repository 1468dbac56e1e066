"""Takes finished runs into the committed reference and draws all its pages again; maintainers only."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from experiments import registry
from experiments.schema.scale import Scale
from reproduce.claims.thread_spread import remember
from reproduce.errors import UsageError
from reproduce.evidence.context import FIGURES
from reproduce.execution.listener import Listener
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions
from reproduce.pipeline.drawer import SEEDS_SHOWN, Drawer
from reproduce.pipeline.ledger import claimed_recipes
from reproduce.reference.readme_blocks import write_blocks
from reproduce.report.build import ReportRequest, make_report
from reproduce.storage.provenance import ROOT
from reproduce.storage.query_results import QUERIES
from reproduce.storage.run_record import RecordFolder, read_record

STUDIES = "studies"
TEXT = ROOT / "REPRODUCIBILITY.md"
README = ROOT / "README.md"
SHOWN: Scale = "mini"
"""The scale that they are about."""


@dataclass(frozen=True)
class Recorded:
    """What the reference has now.

    Attributes:
        runs: how many records are new, replaced or as they were.
        dirty: runs that were made with uncommitted changes.
        files: pages that were drawn.
    """

    runs: Counter[str]
    dirty: tuple[str, ...]
    files: tuple[Path, ...]


def record(scale: Scale, results: Path, listener: Listener) -> Recorded:
    """Copies the user's finished runs of all artifacts into the reference, and draws its pages from it.

    Raises:
        UsageError: outside a checkout of this project.
        ValueError: for a damaged record.
    """
    names = [summary.name for summary in registry.summaries()]
    session = ArtifactPipeline(RunOptions(names=names, scale=scale, seeds=None, results=results), listener)
    drawer = session.drawer
    if not session.workspace.reference.is_dir():
        raise UsageError(f"{session.workspace.reference} does not exist: record in a checkout of the project")
    found = _copied(session, drawer)
    _copy_folder(drawer, STUDIES, "**/*")
    _copy_folder(drawer, QUERIES, "*")
    _copy_folder(drawer, FIGURES, "gallery-*")
    is_shown = scale == SHOWN
    text = TEXT if is_shown else None
    report = make_report(ReportRequest(scale=scale, results=results, text=text, origin="reference"), listener)
    if is_shown:
        for document in _documents():
            write_blocks(document, drawer.reference_folder)
    return Recorded(Counter(found.values()), _dirty(drawer, found), report.files)


def _documents() -> list[Path]:
    """README and the pages of the documentation."""
    return [README, *sorted((README.parent / "docs").rglob("*.md"))]


def _copied(session: ArtifactPipeline, drawer: Drawer) -> dict[str, str]:
    """By run id what became of its record."""
    wanted = [
        w.recipe for artifact in session.artifacts for w in drawer.requested_runs(artifact, SEEDS_SHOWN)
    ]
    known = drawer.known([*wanted, *claimed_recipes(drawer.scale, SEEDS_SHOWN)])
    return {
        run_id: _copy_record(drawer, run_id) for run_id in known if _record(drawer.folder, run_id).exists()
    }


def _copy_record(drawer: Drawer, run_id: str) -> str:
    source, target = (_record(folder, run_id) for folder in (drawer.folder, drawer.reference_folder))
    before = target.read_bytes() if target.exists() else None
    if before == source.read_bytes():
        return "unchanged"
    if before is not None:
        _keep_thread_counts(drawer, source, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in (source, source.with_suffix(".npz")):
        if path.exists():
            shutil.copy(path, target.parent)
    return "new" if before is None else "replaced"


def _keep_thread_counts(drawer: Drawer, *paths: Path) -> None:
    records = [read_record(path) for path in paths]
    if len({record.environment.get("threads") for record in records}) > 1:
        remember(drawer.reference_folder, *records)


def _copy_folder(drawer: Drawer, name: str, pattern: str) -> None:
    for path in (drawer.folder / name).glob(pattern):
        if path.is_file():
            target = drawer.reference_folder / path.relative_to(drawer.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def _record(folder: Path, run_id: str) -> Path:
    return folder / "runs" / f"{run_id}.json"


def _dirty(drawer: Drawer, found: dict[str, str]) -> tuple[str, ...]:
    records = RecordFolder(drawer.reference_folder)
    return tuple(run_id for run_id in found if records[run_id].environment.get("git_dirty"))
