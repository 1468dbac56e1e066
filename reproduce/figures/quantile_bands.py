"""A figure of how a quantity is distributed over the epochs: bands of quantiles, one panel per run."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.schema.figure import QuantileBands
from reproduce.evidence.context import RenderContext
from reproduce.evidence.histories import numbered
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.figures.style import COLOURS, files, legend_below, panels, whole_numbers, write_placeholder
from reproduce.tables.cells import NOT_MEASURED
from reproduce.tables.rendered_table import Block

LEAST = 1e-9
"""What is smaller, zero included, counts as this."""
SHARE_SHOWN = 1e-2
"""Of the limit: what lies lower is clipped."""
SHADES = (0.18, 0.3, 0.45)
"""From the outermost band to the innermost."""


def draw_distribution(figure: QuantileBands, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and its caption as md."""
    numbers = numbered(material, figure.metric, "quantile")
    sheet = picture_sheet(figure, material, [_block(figure, numbers)], numbers)
    limits = {requested.label: figure.limit(requested.recipe) for requested in material.requested_runs}
    with panels(len(figure.curves), height=2.8, share_y=True) as (page, places):
        for axes, curve in zip(places, figure.curves, strict=True):
            axes.set_title(curve.label)
            axes.set_xlabel("epoch")
            mine = numbers[numbers.run == curve.label]
            if mine.empty:
                write_placeholder(axes, NOT_MEASURED)
                continue
            _bands(axes, mine)
            limit = limits[curve.label]
            _clip(axes, mine, limit * SHARE_SHOWN)
            axes.axhline(limit, color="0.1", linewidth=0.9, linestyle="--", label=figure.limit_text)
        places[0].set_ylabel(figure.quantity)
        legend_below(page, *places)
        drawn = files(page)
    return with_caption(sheet, drawn)


def _bands(axes: Axes, numbers: pd.DataFrame) -> None:
    """Bands between opposite quantiles and the median; geometric mean of the seeds."""
    axes.set_yscale("log")
    grid = _grid(numbers)
    quantiles = sorted(set(numbers["quantile"]))
    for place, shade in zip(range(len(quantiles) // 2), SHADES, strict=False):
        low, high = quantiles[place], quantiles[-1 - place]
        name = "all rows" if place == 0 else f"{low} to {high} % of the rows"
        axes.fill_between(
            grid.index, grid[low], grid[high], color=COLOURS[0], alpha=shade, linewidth=0, label=name
        )
    if len(quantiles) % 2:
        middle = quantiles[len(quantiles) // 2]
        axes.plot(grid.index, grid[middle], color=COLOURS[0], linewidth=1.4, label="median")
    whole_numbers(axes.xaxis)
    axes.margins(x=0.02)


def _clip(axes: "Axes", numbers: pd.DataFrame, floor: float) -> None:
    """Ends the axis at the floor, and says so where anything lies lower."""
    axes.set_ylim(bottom=floor)
    if (numbers.value < floor).any():
        text = f"clipped at {floor:.0e}"
        axes.annotate(text, (0.02, 0.02), xycoords="axes fraction", fontsize="small", color="0.3")


def _grid(numbers: pd.DataFrame) -> pd.DataFrame:
    """Epochs by quantiles."""
    logarithms = numbers.assign(value=np.log(numbers.value.clip(lower=LEAST)))
    means = logarithms.pivot_table(index="epoch", columns="quantile", values="value", aggfunc="mean")
    return means.apply(np.exp)


def _block(figure: QuantileBands, numbers: pd.DataFrame) -> Block:
    """Every run's quantiles after its last epoch, geometric mean of the seeds."""
    quantiles = sorted(set(numbers["quantile"]))
    rows = []
    for curve in figure.curves:
        mine = numbers[numbers.run == curve.label]
        found = [f"{value:.1e}" for value in _grid(mine).iloc[-1]] if len(mine) else []
        rows.append(found or [NOT_MEASURED] * max(1, len(quantiles)))
    index = pd.MultiIndex.from_tuples([(curve.label,) for curve in figure.curves], names=["Method"])
    names = [f"{quantile} %" for quantile in quantiles] or ["-"]
    columns = pd.MultiIndex.from_tuples([(f"{figure.quantity}, quantiles", name) for name in names])
    return Block("After the last epoch", pd.DataFrame(rows, index=index, columns=columns))
