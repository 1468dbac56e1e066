"""A figure after drawing: what a terminal shows of it, and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cdd.files import atomic_write
from reproduce.caption import caption, title
from reproduce.material import Material
from reproduce.picture import Picture
from reproduce.table import Block, Sheet


@dataclass(frozen=True)
class DrawnPicture:
    """A drawn figure: the sheet that a terminal shows and a program reads, and its files by suffix."""

    sheet: Sheet
    files: Mapping[str, bytes]

    def write(self, folder: Path) -> list[Path]:
        """Writes all files into the folder."""
        for suffix, content in self.files.items():
            atomic_write(folder / f"{self.sheet.name}{suffix}", content)
        return [folder / f"{self.sheet.name}{suffix}" for suffix in self.files]


def picture_sheet(
    picture: Picture, material: Material, blocks: Sequence[Block], numbers: pd.DataFrame
) -> Sheet:
    """The sheet of a figure under its title, with what is said of it and its runs."""
    heading = title(picture, material.scale, material.wishes)
    return Sheet(picture.name, heading, tuple(blocks), tuple(caption(picture, material)), numbers)


def with_caption(sheet: Sheet, drawn: Mapping[str, bytes]) -> DrawnPicture:
    """The drawn pages with the numbers as csv and a caption that shows the picture as md."""
    from reproduce.table_text import markdown

    image = f"![{sheet.title}]({sheet.name}.png)"
    text = markdown(sheet).replace("\n\n", f"\n\n{image}\n\n", 1)
    csv = sheet.numbers.to_csv(index=False, lineterminator="\n")
    return DrawnPicture(sheet, {**drawn, ".csv": csv.encode(), ".md": text.encode()})
