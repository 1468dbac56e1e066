"""A figure after drawing: what a terminal shows of it, and its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reproduce.table import Sheet


@dataclass(frozen=True)
class DrawnPicture:
    """A drawn figure: the sheet that a terminal shows and a program reads, and its files by suffix."""

    sheet: Sheet
    files: Mapping[str, bytes]

    def write(self, folder: Path) -> list[Path]:
        """Writes all files into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in self.files.items():
            (folder / f"{self.sheet.name}{suffix}").write_bytes(content)
        return [folder / f"{self.sheet.name}{suffix}" for suffix in self.files]


def with_caption(sheet: Sheet, drawn: Mapping[str, bytes]) -> DrawnPicture:
    """The drawn pages with the numbers as csv and a caption that shows the picture as md."""
    from reproduce.table_text import markdown

    image = f"![{sheet.title}]({sheet.name}.png)"
    text = markdown(sheet).replace("\n\n", f"\n\n{image}\n\n", 1)
    csv = sheet.numbers.to_csv(index=False, lineterminator="\n")
    return DrawnPicture(sheet, {**drawn, ".csv": csv.encode(), ".md": text.encode()})
