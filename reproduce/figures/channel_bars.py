"""A figure of the channels behind each 3x3 convolution, one bar per block and run."""

from statistics import fmean

import pandas as pd

from experiments.schema.figure import ChannelBars
from reproduce.evidence.context import RenderContext
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.figures.style import BAND, OWN, STYLES, canvas, files, write_placeholder
from reproduce.tables.cells import NOT_RUN
from reproduce.tables.rendered_table import Block

GROUP_WIDTH = 0.8
"""Share of a block's room that its bars take."""


def draw_bars(figure: ChannelBars, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and its caption as md."""
    numbers = _numbers(material)
    sheet = picture_sheet(figure, material, [_block(figure, numbers)], numbers)
    with canvas() as (page, axes):
        width = GROUP_WIDTH / len(figure.curves)
        for number, bar in enumerate(figure.curves):
            by_block = numbers[numbers.run == bar.label].groupby("block").channels
            mean, colour = by_block.mean(), OWN if bar.own else STYLES[number][0]
            places = [block + (number - (len(figure.curves) - 1) / 2) * width for block in mean.index]
            if len(mean):
                # One seed has no deviation, which is then no bar.
                axes.bar(
                    places,
                    mean,
                    width=width,
                    color=colour,
                    label=bar.label,
                    yerr=by_block.std(),
                    error_kw={"ecolor": "0.5", "elinewidth": 1.0},
                )
        if numbers.seed.nunique() > 1:
            axes.plot([], [], color="0.5", linewidth=1.0, label=BAND)
        if len(numbers):
            axes.set_xticks(sorted(set(numbers.block)))
            axes.legend()
        else:
            write_placeholder(axes, NOT_RUN)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("residual block")
        axes.set_ylabel("output channels of the compactor")
        drawn = files(page)
    return with_caption(sheet, drawn)


def _numbers(material: RenderContext) -> pd.DataFrame:
    """One line per run, seed and block."""
    lines = [
        {"run": requested.label, "seed": requested.recipe.seed, "block": place + 1, "channels": channels}
        for requested in material.requested_runs
        if requested.recipe.run_id in material.records
        for place, channels in enumerate(material.records[requested.recipe.run_id].channels or [])
    ]
    return pd.DataFrame(lines, columns=["run", "seed", "block", "channels"]).astype(
        {"seed": int, "block": int, "channels": int}
    )


def _block(figure: ChannelBars, numbers: pd.DataFrame) -> Block:
    """Every run's channels in all and per block, mean of the seeds."""
    blocks = sorted(set(numbers.block))
    rows = []
    for bar in figure.curves:
        mine = numbers[numbers.run == bar.label]
        means = [fmean(mine[mine.block == block].channels) for block in blocks] if len(mine) else []
        texts = [f"{value:g}" for value in (sum(means), *means)] if means else [NOT_RUN] * (len(blocks) + 1)
        rows.append(texts)
    index = pd.MultiIndex.from_tuples([(bar.label,) for bar in figure.curves], names=["Method"])
    columns = pd.MultiIndex.from_tuples([("channels", name) for name in ("all", *map(str, blocks))])
    return Block("Channels left in each residual block", pd.DataFrame(rows, index=index, columns=columns))
