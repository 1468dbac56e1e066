"""The tables and figures of the page, in sections: the papers' own first, then what is beyond them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from experiments import registry
from experiments.schema.figure import Artifact, ForestPlot
from experiments.schema.scale import Scale
from experiments.schema.table import BEYOND, Table
from reproduce.figures.output import reference_of
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.report.html_table import HtmlGrid, html_grid
from reproduce.report.images import Image, image
from reproduce.report.ledger_part import LedgerPart
from reproduce.statistics.claim_verdict import PUBLICATION_PARTS
from reproduce.tables.caption import heading
from reproduce.tables.ledger_table import has_verdicts

BEYOND_TITLES = (
    "Points that the text leaves open",
    "Tables beyond the papers",
    "Inside the method, and all runs together",
)


@dataclass(frozen=True)
class ShownRun:
    """A finished run in an artifact, by the name that it has there."""

    label: str
    seed: int
    run_id: str


@dataclass(frozen=True, kw_only=True)
class ReportArtifact:
    """A table or figure on the page.

    Attributes:
        anchor: its id there.
        title: with scale and data.
        image: None for a table.
        reference_image: the same figure of the committed runs, where the user's own is shown.
        alt: the picture in words.
        claims: where the page has the verdicts about it; empty for none.
        runs: behind its numbers, by name and seed.
        command: makes it again.
        beyond: whether no paper has it.
    """

    anchor: str
    heading: str
    title: str
    grids: tuple[HtmlGrid, ...]
    notes: tuple[str, ...]
    image: Image | None
    reference_image: Image | None
    alt: str
    claims: str
    runs: tuple[ShownRun, ...]
    command: str
    beyond: bool

    @property
    def distinct(self) -> int:
        """Different runs behind it."""
        return len({run.run_id for run in self.runs})


@dataclass(frozen=True)
class Section:
    """Exhibits of one kind and publication."""

    anchor: str
    title: str
    exhibits: tuple[ReportArtifact, ...]


def exhibit_sections(drawn: Iterable[RenderedArtifact], scale: Scale, ledger: LedgerPart) -> list[Section]:
    """What each publication has, supplements behind it, in the order of the catalog; what none has, last.

    Verdicts stand in the ledger alone.
    """
    pairs = [(registry.find(each.sheet.name), each) for each in drawn]
    pairs.sort(key=lambda pair: len(pair[0].source.split(", ")))
    publications = list(dict.fromkeys(_publication(artifact) for artifact, _ in pairs))
    pairs.sort(key=lambda pair: (publications.index(_publication(pair[0])), _kind(pair[0])))
    pairs.sort(key=lambda pair: pair[0].source == BEYOND)
    parts = groupby(pairs, key=lambda pair: _title(pair[0]))
    return [
        Section(
            f"part-{number}",
            title,
            tuple(_exhibit(artifact, each, scale, ledger) for artifact, each in found),
        )
        for number, (title, found) in enumerate(parts, 1)
    ]


def repeat_command(name: str, scale: Scale, seeds: Iterable[int]) -> str:
    """The command that makes an artifact again with these seeds."""
    words = ["python -m reproduce", name]
    if scale != "mini":
        words.append(f"--scale {scale}")
    if scale == "paper":
        words.append("--data-root DIR")
    listed = ",".join(map(str, sorted(set(seeds))))
    return " ".join([*words, *([f"--seeds {listed}"] if listed not in ("", "0") else [])])


def _publication(artifact: Artifact) -> str:
    return ", ".join(artifact.source.split(", ")[:PUBLICATION_PARTS])


def _kind(artifact: Artifact) -> int:
    return 0 if isinstance(artifact, ForestPlot) else 1 if isinstance(artifact, Table) else 2


def _title(artifact: Artifact) -> str:
    if artifact.source == BEYOND:
        return BEYOND_TITLES[_kind(artifact)]
    return f"{'Tables' if isinstance(artifact, Table) else 'Figures'} of {_publication(artifact)}"


def _exhibit(artifact: Artifact, drawn: RenderedArtifact, scale: Scale, ledger: LedgerPart) -> ReportArtifact:
    sheet, runs = drawn.sheet, _runs(drawn)
    what, stem = heading(artifact), drawn.files[0].with_name(sheet.name)
    beside = reference_of(stem)
    is_table = isinstance(artifact, Table)
    return ReportArtifact(
        anchor=sheet.name,
        heading=what,
        title=sheet.title,
        grids=tuple(html_grid(block) for block in sheet.blocks if not has_verdicts(block)),
        notes=ledger.without_own(sheet.notes),
        image=None if is_table else image(stem),
        reference_image=image(beside) if any(path.stem == beside.name for path in drawn.files) else None,
        alt=f"{what}: drawn from {len({run.run_id for run in runs})} runs. Its numbers follow as a table.",
        claims=ledger.anchor(artifact.source),
        runs=runs,
        command=repeat_command(sheet.name, scale, (run.seed for run in runs)),
        beyond=artifact.source == BEYOND,
    )


def _runs(drawn: RenderedArtifact) -> tuple[ShownRun, ...]:
    found = [
        ShownRun(requested.name or requested.label, requested.recipe.seed, requested.recipe.run_id)
        for requested in drawn.requested_runs
        if requested.recipe.run_id in drawn.outcomes
    ]
    return tuple(dict.fromkeys(found))
