"""Draws any artifact and writes its files: tables below `tables`, everything else below `figures`."""

from pathlib import Path

from reproduce.artifact import Table
from reproduce.bars import draw_bars
from reproduce.block_map import draw_block_map
from reproduce.cloud import draw_cloud
from reproduce.distribution import draw_distribution
from reproduce.drawn_picture import DrawnPicture
from reproduce.figure import draw_figure
from reproduce.material import Material
from reproduce.picture import Artifact, BlockMap, ChannelBars, Cloud, Distribution, Figure, Picture, Sweep
from reproduce.sweep import draw_sweep
from reproduce.table import Sheet, draw, write


def draw_artifact(artifact: Artifact, material: Material, folder: Path) -> tuple[Sheet, list[Path]]:
    """The sheet of the artifact and the files that were written."""
    if isinstance(artifact, Table):
        sheet = draw(artifact, material)
        return sheet, write(sheet, folder / "tables")
    picture = _drawn(artifact, material)
    return picture.sheet, picture.write(folder / "figures")


def _drawn(picture: Picture, material: Material) -> DrawnPicture:
    match picture:
        case Figure():
            return draw_figure(picture, material)
        case ChannelBars():
            return draw_bars(picture, material)
        case BlockMap():
            return draw_block_map(picture, material)
        case Distribution():
            return draw_distribution(picture, material)
        case Cloud():
            return draw_cloud(picture, material)
        case Sweep():
            return draw_sweep(picture, material)
