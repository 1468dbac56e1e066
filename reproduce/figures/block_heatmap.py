"""A figure of a fraction per residual block over the epochs: one panel of colours per run."""

from statistics import fmean

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from experiments.schema.figure import BlockHeatmap
from reproduce.evidence.context import RenderContext
from reproduce.evidence.histories import numbered
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.figures.style import files, panels, whole_numbers, write_placeholder
from reproduce.tables.cells import NOT_MEASURED
from reproduce.tables.rendered_table import Block

COLOURS = "cividis"
"""Rises evenly in lightness, for the colour-blind and in print as well."""


def draw_block_map(figure: BlockHeatmap, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and its caption as md."""
    numbers = numbered(material, figure.metric, "block")
    sheet = picture_sheet(figure, material, [_block(figure, numbers)], numbers)
    with panels(len(figure.curves), height=2.6) as (page, places):
        images = [
            _panel(axes, curve.label, numbers) for axes, curve in zip(places, figure.curves, strict=True)
        ]
        shown = [image for image in images if image is not None]
        if shown:
            page.colorbar(shown[0], ax=places, label=figure.quantity)
        drawn = files(page)
    return with_caption(sheet, drawn)


def _panel(axes: Axes, label: str, numbers: pd.DataFrame) -> QuadMesh | None:
    """Blocks from the first at the bottom to the last; mean of the seeds."""
    axes.set_title(label)
    axes.set_xlabel("epoch")
    axes.set_ylabel("residual block")
    axes.grid(visible=False)
    mine = numbers[numbers.run == label]
    if mine.empty:
        write_placeholder(axes, NOT_MEASURED)
        return None
    grid = mine.pivot_table(index="block", columns="epoch", values="value", aggfunc="mean")
    epochs, blocks = (_edges(found) for found in (mine.epoch, mine.block))
    image = axes.pcolormesh(epochs, blocks, grid, vmin=0, vmax=1, cmap=COLOURS)
    whole_numbers(axes.xaxis, axes.yaxis)
    return image


def _edges(numbers: "pd.Series[int]") -> list[float]:
    """Of the cells around these whole numbers."""
    first, last = int(numbers.min()), int(numbers.max())
    return [number - 0.5 for number in range(first, last + 2)]


def _block(figure: BlockHeatmap, numbers: pd.DataFrame) -> Block:
    """Every run's blocks after its last epoch, mean of the seeds."""
    last = numbers[numbers.epoch == numbers.groupby(["run", "seed"]).epoch.transform("max")]
    blocks = sorted(set(numbers.block))
    rows = []
    for curve in figure.curves:
        mine = last[last.run == curve.label]
        found = [f"{fmean(mine[mine.block == block].value):.2f}" for block in blocks] if len(mine) else []
        rows.append(found or [NOT_MEASURED] * max(1, len(blocks)))
    index = pd.MultiIndex.from_tuples([(curve.label,) for curve in figure.curves], names=["Method"])
    names = [f"{block}" for block in blocks] or ["-"]
    columns = pd.MultiIndex.from_tuples([(f"{figure.quantity}, by block", name) for name in names])
    return Block("After the last epoch", pd.DataFrame(rows, index=index, columns=columns))
