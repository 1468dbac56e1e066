"""Draws any artifact and writes its files: tables below `tables`, everything else below `figures`."""

from pathlib import Path

from reproduce.artifact import Table
from reproduce.bars import draw_bars
from reproduce.figure import draw_figure
from reproduce.material import Material
from reproduce.picture import Artifact, ChannelBars, Figure
from reproduce.sweep import draw_sweep
from reproduce.table import Sheet, draw, write


def draw_artifact(artifact: Artifact, material: Material, folder: Path) -> tuple[Sheet, list[Path]]:
    """The sheet of the artifact and the files that were written."""
    if isinstance(artifact, Table):
        sheet = draw(artifact, material)
        return sheet, write(sheet, folder / "tables")
    if isinstance(artifact, Figure):
        picture = draw_figure(artifact, material)
    elif isinstance(artifact, ChannelBars):
        picture = draw_bars(artifact, material)
    else:
        picture = draw_sweep(artifact, material)
    return picture.sheet, picture.write(folder / "figures")
