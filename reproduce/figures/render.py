"""Draws any artifact and writes its files: tables below `tables`, everything else below `figures`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiments.schema.figure import (
    Artifact,
    BlockHeatmap,
    ChannelBars,
    ForestPlot,
    LearningCurves,
    QuantileBands,
    Sweep,
    TradeoffScatter,
    VisualWordRetrieval,
)
from experiments.schema.table import Table
from reproduce.evidence.context import FIGURES, RenderContext
from reproduce.figures.block_heatmap import draw_block_map
from reproduce.figures.channel_bars import draw_bars
from reproduce.figures.curves import draw_figure
from reproduce.figures.forest_plot import draw_forest
from reproduce.figures.output import RenderedFigure, beside_reference
from reproduce.figures.quantile_bands import draw_distribution
from reproduce.figures.setting_sweep import draw_sweep
from reproduce.figures.tradeoff_scatter import draw_cloud
from reproduce.figures.word_retrieval import draw_word_gallery
from reproduce.tables.build import draw, write
from reproduce.tables.rendered_table import RenderedTable

DRAWN_BY: Mapping[type, Callable[[Any, RenderContext], RenderedFigure]] = {
    LearningCurves: draw_figure,
    ForestPlot: draw_forest,
    Sweep: draw_sweep,
    ChannelBars: draw_bars,
    BlockHeatmap: draw_block_map,
    QuantileBands: draw_distribution,
    TradeoffScatter: draw_cloud,
    VisualWordRetrieval: draw_word_gallery,
}


def draw_artifact(artifact: Artifact, material: RenderContext) -> tuple[RenderedTable, list[Path]]:
    """The sheet of the artifact and the files that were written."""
    if isinstance(artifact, Table):
        sheet = draw(artifact, material)
        return sheet, write(sheet, material.folder / "tables")
    draw_picture = DRAWN_BY[type(artifact)]
    picture = draw_picture(artifact, material)
    if material.reference and not isinstance(artifact, Sweep):
        picture = beside_reference(picture, draw_picture(artifact, material.of_reference()))
    return picture.sheet, picture.write(material.folder / FIGURES)
