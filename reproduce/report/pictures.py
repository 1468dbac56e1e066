"""Galleries and studies of a scale, beside its tables and figures."""

from dataclasses import dataclass
from pathlib import Path

from reproduce.evidence.context import FIGURES
from reproduce.report.images import Image, image
from reproduce.report.markdown import Document, document

LEVEL = 4
"""Of headings inside such a document on the page."""
FIRST = ("pareto", "history")
"""The plot of a study that stands open."""


@dataclass(frozen=True)
class Gallery:
    """The picture of what a run finds, and its caption."""

    document: Document
    image: Image
    command: str

    @property
    def alt(self) -> str:
        """The picture in words."""
        return f"{self.document.title}: queries, each beside the first images of its ranking."


@dataclass(frozen=True)
class Plot:
    """One plot of a study."""

    kind: str
    image: Image
    study: str

    @property
    def alt(self) -> str:
        """The picture in words."""
        return f"{self.study}: {self.kind.replace('-', ', ')}. Its trials follow as a table."


@dataclass(frozen=True)
class StudyPart:
    """A study's trials and plots."""

    document: Document
    plots: tuple[Plot, ...]


def galleries(folder: Path) -> list[Gallery]:
    """Every gallery that was drawn below a scale's folder."""
    found = []
    for path in sorted((folder / FIGURES).glob("gallery-*.md")):
        picture = image(path.with_suffix(""))
        if picture:
            found.append(Gallery(document(path, LEVEL), picture, _command(path.stem)))
    return found


def studies(folder: Path) -> list[StudyPart]:
    """Every study below a scale's folder, its main plot first."""
    return [_study(path) for path in sorted((folder / "studies").glob("*.md"))]


def _study(path: Path) -> StudyPart:
    text = document(path, LEVEL)
    stems = sorted({found.with_suffix("") for found in path.parent.glob(f"{path.stem}-*.png")})
    kinds = sorted((stem.name.removeprefix(f"{path.stem}-") for stem in stems), key=_place)
    pictures = ((kind, image(path.with_name(f"{path.stem}-{kind}"))) for kind in kinds)
    return StudyPart(text, tuple(Plot(kind, found, text.title) for kind, found in pictures if found))


def _place(kind: str) -> tuple[bool, str]:
    return kind not in FIRST, kind


def _command(stem: str) -> str:
    """The words that drew a gallery of this name."""
    _, run_id, *rest = stem.split("-")
    worst = ["--worst"] if rest[-1:] == ["worst"] else []
    protocol = "-".join(rest[:-1] if worst else rest)
    chosen = [f"--protocol {protocol}"] if protocol else []
    return " ".join(["python -m reproduce gallery", run_id, *chosen, *worst])
