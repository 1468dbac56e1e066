"""The report of a scale: one page with everything that was measured, and a text about it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdd.files import atomic_write
from experiments import registry
from experiments.schema.scale import Scale
from reproduce.evidence.context import Origin
from reproduce.execution.listener import Listener
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.pipeline.ledger import Ledger, draw_ledger
from reproduce.report.ledger_part import ledger_part
from reproduce.report.markdown import document, sections
from reproduce.report.pictures import galleries, studies
from reproduce.report.run_table import clock, machines, run_lines
from reproduce.report.sections import exhibit_sections
from reproduce.report.templates import challenge_text, html_page
from reproduce.statistics.verdicts import CODES, EXPLANATION
from reproduce.storage.provenance import ROOT
from reproduce.tables.caption import DIGEST_LENGTH, SCALE_TEXTS
from reproduce.tables.ledger_table import by_source, counts, counts_text
from reproduce.tables.text import markdown_table

DIFFERENCES = ROOT / "DIFFERENCES.md"
TITLE = "Towards a Smaller Student, reproduced"


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What the command line asked for.

    Attributes:
        out: the page; None for `report.html` in the scale's folder.
        text: the text; None for `REPRODUCIBILITY.md` beside the page.
        origin: `reference` for the committed runs alone.
    """

    scale: Scale = "mini"
    results: Path = Path("results")
    out: Path | None = None
    text: Path | None = None
    origin: Origin = "yours"


@dataclass(frozen=True)
class Report:
    """What was written, and what it counts."""

    files: tuple[Path, Path]
    verdicts: Mapping[str, int]
    artifacts: int
    runs: int


def make_report(request: ReportRequest, listener: Listener) -> Report:
    """Draws everything that is known of a scale, judges it, and writes page and text.

    Raises:
        UsageError: if the results or the files cannot be written.
        ValueError: for a damaged record.
    """
    names = [summary.name for summary in registry.summaries()]
    session = ArtifactPipeline(
        RunOptions(
            names=names, scale=request.scale, seeds=None, results=request.results, origin=request.origin
        ),
        listener,
    )
    session.workspace.check_writable()
    drawn = session.show()
    ledger = draw_ledger(request.scale, None, request.results, listener, request.origin)
    values = _values(request.scale, session, drawn, ledger)
    page = request.out or session.drawer.folder / "report.html"
    text = request.text or page.with_name("REPRODUCIBILITY.md")
    values["page"] = Path(os.path.relpath(page, text.parent)).as_posix()
    for path, content in ((page, html_page(values)), (text, challenge_text(values))):
        atomic_write(path, content)
    return Report((page, text), values["counts"], len(drawn), len(values["runs"]))


def _values(
    scale: Scale, session: ArtifactPipeline, drawn: list[RenderedArtifact], ledger: Ledger
) -> dict[str, Any]:
    """Everything that the templates name."""
    folders = (session.drawer.folder, session.drawer.reference_folder)
    runs = run_lines(drawn)
    own = f" --scale {scale}" if scale != "mini" else ""
    part = ledger_part(ledger, f"python -m reproduce claims{own}")
    verdicts, parts = counts(ledger.claims), exhibit_sections(drawn, scale, part)
    return {
        "title": f"{TITLE}: results at the {scale} scale",
        "description": _description(scale, verdicts, len(runs)),
        "scale": scale,
        "scale_text": SCALE_TEXTS[scale],
        "data": _data(drawn),
        "seeds": _seeds(drawn),
        "runs": runs,
        "total": clock(sum(run.seconds or 0.0 for run in runs)),
        "machines": machines(runs),
        "verdicts": CODES,
        "counts": verdicts,
        "counts_text": counts_text(verdicts),
        "meanings": EXPLANATION,
        "claims": ledger.claims,
        "publications": by_source(ledger.claims),
        "ledger_blocks": [
            {"title": block.title, "table": "\n".join(markdown_table(block))} for block in ledger.sheet.blocks
        ],
        "ledger": part,
        "sections": parts,
        "galleries": next(filter(None, map(galleries, folders)), []),
        "studies": next(filter(None, map(studies, folders)), []),
        "differences": document(
            DIFFERENCES, 3, {exhibit.anchor for part in parts for exhibit in part.exhibits}
        ),
        "difference_counts": list(sections(DIFFERENCES)),
        "command": f"python -m reproduce report{own}",
    }


def _seeds(drawn: list[RenderedArtifact]) -> list[int]:
    """Seeds of the runs that are shown."""
    runs = ((artifact.outcomes, run.recipe) for artifact in drawn for run in artifact.requested_runs)
    return sorted({recipe.seed for outcomes, recipe in runs if recipe.run_id in outcomes})


def _description(scale: Scale, verdicts: Mapping[str, int], runs: int) -> str:
    total = sum(verdicts.values())
    return f"{total} claims judged at the {scale} scale from {runs} runs: {counts_text(verdicts)}."


def _data(drawn: list[RenderedArtifact]) -> list[str]:
    """Data sets with sizes and digests, as the runs that are shown were evaluated on them."""
    sizes: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for each in drawn:
        for requested in (
            requested for requested in each.requested_runs if requested.recipe.run_id in each.outcomes
        ):
            data, made = requested.recipe.data, each.outcomes[requested.recipe.run_id].environment
            digest = str(made.get("data_digest", "unknown"))[:DIGEST_LENGTH]
            sizes.setdefault((data.name, digest), set()).add((data.height, data.width))
    return [
        f"{name} at {', '.join(f'{height}x{width}' for height, width in sorted(found))} (digest {digest})"
        for (name, digest), found in sorted(sizes.items())
    ]
