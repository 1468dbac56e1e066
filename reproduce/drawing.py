"""Draws any artifact and writes its files: tables below `tables`, everything else below `figures`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reproduce.artifact import Table
from reproduce.bars import draw_bars
from reproduce.block_map import draw_block_map
from reproduce.cloud import draw_cloud
from reproduce.distribution import draw_distribution
from reproduce.drawn_picture import DrawnPicture, beside_reference
from reproduce.figure import draw_figure
from reproduce.forest import draw_forest
from reproduce.material import FIGURES, Material
from reproduce.picture import (
    Artifact,
    BlockMap,
    ChannelBars,
    Cloud,
    Distribution,
    Figure,
    Forest,
    Sweep,
    WordGallery,
)
from reproduce.sheet import Sheet
from reproduce.sweep import draw_sweep
from reproduce.table import draw, write
from reproduce.word_gallery import draw_word_gallery

DRAWN_BY: Mapping[type, Callable[[Any, Material], DrawnPicture]] = {
    Figure: draw_figure,
    Forest: draw_forest,
    Sweep: draw_sweep,
    ChannelBars: draw_bars,
    BlockMap: draw_block_map,
    Distribution: draw_distribution,
    Cloud: draw_cloud,
    WordGallery: draw_word_gallery,
}


def draw_artifact(artifact: Artifact, material: Material) -> tuple[Sheet, list[Path]]:
    """The sheet of the artifact and the files that were written."""
    if isinstance(artifact, Table):
        sheet = draw(artifact, material)
        return sheet, write(sheet, material.folder / "tables")
    draw_picture = DRAWN_BY[type(artifact)]
    picture = draw_picture(artifact, material)
    if material.reference:
        picture = beside_reference(picture, draw_picture(artifact, material.of_reference()))
    return picture.sheet, picture.write(material.folder / FIGURES)
