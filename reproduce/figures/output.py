"""A figure after drawing: what a terminal shows of it, and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cdd.files import atomic_write
from experiments.schema.figure import Picture
from reproduce.evidence.context import RenderContext
from reproduce.tables.caption import caption, title
from reproduce.tables.ledger_table import verdict_blocks, verdict_notes
from reproduce.tables.rendered_table import Block, RenderedTable
from reproduce.tables.text import markdown

REFERENCE = "-reference"
TEXTS = (".csv", ".md")
"""Suffixes of what stands beside the pictures."""


@dataclass(frozen=True)
class RenderedFigure:
    """A drawn figure: the sheet that a terminal shows and a program reads, and its files by suffix."""

    sheet: RenderedTable
    files: Mapping[str, bytes]

    def write(self, folder: Path) -> list[Path]:
        """Writes all files into the folder."""
        for suffix, content in self.files.items():
            atomic_write(folder / f"{self.sheet.name}{suffix}", content)
        return [folder / f"{self.sheet.name}{suffix}" for suffix in self.files]


def picture_sheet(
    picture: Picture, material: RenderContext, blocks: Sequence[Block], numbers: pd.DataFrame
) -> RenderedTable:
    """The sheet of a figure under its title, with what is said of it and its runs, and what is claimed."""
    heading = title(picture, material.scale, material.requested_runs)
    notes = (*caption(picture, material), *verdict_notes(material.judged))
    return RenderedTable(picture.name, heading, (*blocks, *verdict_blocks(material.judged)), notes, numbers)


def reference_of(stem: Path) -> Path:
    """The stem of the files that show the committed runs beside the user's figure of this stem."""
    return stem.with_name(f"{stem.name}{REFERENCE}")


def beside_reference(picture: RenderedFigure, reference: RenderedFigure) -> RenderedFigure:
    """The figure of the user whose page also shows the same figure of the committed runs."""
    name = picture.sheet.name
    # A figure that is a table has the reference's numbers in its lines.
    more = () if "reference_mean" in picture.sheet.numbers else reference.sheet.blocks
    blocks = [replace(block, title=f"Reference: {block.title}") for block in more]
    sheet = replace(picture.sheet, blocks=(*picture.sheet.blocks, *blocks))
    pictures = {suffix: content for suffix, content in picture.files.items() if suffix not in TEXTS}
    shown = {f"{REFERENCE}{suffix}": reference.files[suffix] for suffix in pictures}
    texts = with_caption(sheet, {}, ("**Reference**", f"![Reference]({name}{REFERENCE}.png)")).files
    return RenderedFigure(sheet, {**pictures, **shown, **texts})


def with_caption(
    sheet: RenderedTable, drawn: Mapping[str, bytes], more: Sequence[str] = ()
) -> RenderedFigure:
    """The drawn pages with the numbers as csv and a caption that shows the picture as md.

    Args:
        sheet: what is drawn.
        drawn: the pages by suffix.
        more: further pictures, in Markdown.
    """
    image = f"![{sheet.title}]({sheet.name}.png)"
    images = "\n\n".join(["**Yours**", image, *more] if more else [image])
    text = markdown(sheet).replace("\n\n", f"\n\n{images}\n\n", 1)
    csv = sheet.numbers.to_csv(index=False, lineterminator="\n")
    return RenderedFigure(sheet, {**drawn, ".csv": csv.encode(), ".md": text.encode()})
