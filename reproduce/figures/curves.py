"""A figure of curves over epochs: its numbers, what a terminal shows of it, and its files."""

from collections.abc import Mapping
from statistics import fmean

import pandas as pd
from matplotlib.axes import Axes

from experiments.schema.figure import Curve, LearningCurves
from experiments.schema.table import Column
from reproduce.evidence.context import RenderContext
from reproduce.evidence.histories import measured
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.figures.style import (
    OWN,
    SHADE,
    STYLES,
    band_in_legend,
    canvas,
    files,
    legend_below,
    panels,
    whole_numbers,
    write_placeholder,
)
from reproduce.tables.build import decimals_for
from reproduce.tables.cells import NOT_MEASURED
from reproduce.tables.rendered_table import Block, number_text


def draw_figure(figure: LearningCurves, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and its caption as md."""
    numbers, marks = _numbers(figure, material), _marks(figure, material)
    blocks = [_block(figure, column, numbers, marks) for column in figure.columns]
    sheet = picture_sheet(figure, material, blocks, numbers)
    drawn = _one_panel(figure, numbers, marks) if len(blocks) == 1 else _panels(figure, numbers, marks)
    return with_caption(sheet, drawn)


def _one_panel(
    figure: LearningCurves, numbers: pd.DataFrame, marks: list[tuple[int, str]]
) -> dict[str, bytes]:
    """Many curves: wide, with their last values in the legend."""
    (column,) = figure.columns
    with canvas() as (page, axes):
        last = {curve.label: _last(numbers, curve.label) for curve in figure.curves}
        names = {label: f"{label}  {value:.1f}" for label, value in last.items()}
        _trace(axes, figure, numbers, marks, dict(sorted(names.items(), key=lambda name: -last[name[0]])))
        axes.set_ylabel(_axis(column))
        if len(numbers):
            page.legend(loc="outside right upper", title=f"{column.name} at the end")
        return files(page)


def _panels(figure: LearningCurves, numbers: pd.DataFrame, marks: list[tuple[int, str]]) -> dict[str, bytes]:
    names = {curve.label: curve.label for curve in figure.curves}
    with panels(len(figure.columns)) as (page, places):
        for axes, column in zip(places, figure.columns, strict=True):
            _trace(axes, figure, numbers[numbers.metric == column.name], marks, names)
            axes.set_ylabel(_axis(column))
            if column.relative == "percent":
                axes.set_ylim(bottom=0)
        if numbers.groupby(["curve", "metric", "epoch"]).size().gt(1).any():
            band_in_legend(places[0])
        legend_below(page, *places)
        return files(page)


def _numbers(figure: LearningCurves, material: RenderContext) -> pd.DataFrame:
    """One line per curve, metric, seed and measured epoch, in the column's unit."""
    lines = [
        {
            "curve": requested.label,
            "metric": column.name,
            "seed": requested.recipe.seed,
            "epoch": epoch,
            "value": round(value * column.factor, 5),
        }
        for requested in material.requested_runs
        if requested.recipe.run_id in material.records
        for column in figure.columns
        for epoch, value in measured(
            material.records[requested.recipe.run_id].history, figure.group.metric(column)
        )
    ]
    frame = pd.DataFrame(lines, columns=["curve", "metric", "seed", "epoch", "value"])
    return frame.astype({"seed": int, "epoch": int, "value": float})


def _marks(figure: LearningCurves, material: RenderContext) -> list[tuple[int, str]]:
    recipes = {requested.label: requested.recipe for requested in material.requested_runs}
    return [(mark.epoch(recipes[mark.curve]), mark.text) for mark in figure.marks]


def _trace(
    axes: Axes,
    figure: LearningCurves,
    numbers: pd.DataFrame,
    marks: list[tuple[int, str]],
    names: Mapping[str, str],
) -> None:
    """The curves in the order of their names, by label, with bands where there are several seeds."""
    styles = iter(STYLES)
    looks = {curve.label: (OWN, "-") if curve.own else next(styles) for curve in figure.curves}
    for label, name in names.items():
        mine = numbers[numbers.curve == label]
        if mine.empty:
            continue
        by_epoch = mine.groupby("epoch").value
        mean, epochs = by_epoch.mean(), sorted(set(mine.epoch))
        colour, dash = looks[label]
        width, order = (2.0, 4) if colour == OWN else (1.1, 3)
        axes.plot(epochs, mean, color=colour, linestyle=dash, linewidth=width, zorder=order, label=name)
        if mine.seed.nunique() > 1:
            spread = by_epoch.std()
            axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=SHADE, linewidth=0)
    for epoch, text in marks:
        axes.axvline(epoch, color="0.4", linewidth=0.8, linestyle=(0, (1, 2)), zorder=2)
        axes.annotate(
            f"{text} (epoch {epoch})",
            (epoch, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            color="0.3",
        )
    if numbers.empty:
        write_placeholder(axes, NOT_MEASURED)
    axes.set_xlabel("epoch")
    whole_numbers(axes.xaxis)
    axes.margins(x=0.02)


def _axis(column: Column) -> str:
    return f"{column.name} ({column.unit})"


def _last(numbers: pd.DataFrame, label: str) -> float:
    mine = numbers[numbers.curve == label]
    return float(mine[mine.epoch == mine.epoch.max()].value.mean()) if len(mine) else 0.0


def _block(
    figure: LearningCurves, column: Column, numbers: pd.DataFrame, marks: list[tuple[int, str]]
) -> Block:
    """Every curve before and after the marks and at the end, with the paper's last number if it has any."""
    mine = numbers[numbers.metric == column.name]
    last = int(mine.epoch.max()) if len(mine) else 0
    epochs = sorted({*(e for mark, _ in marks for e in (mark - 1, mark) if 0 < e < last), last} - {0})
    decimals = decimals_for(column, mine.value)
    rows = [[_at(mine, curve, epoch, decimals) for epoch in epochs] for curve in figure.curves]
    names = [f"epoch {epoch}" for epoch in epochs]
    if any(curve.paper is not None for curve in figure.curves):
        names.append("paper, last epoch")
        rows = [
            [*row, number_text(curve.paper, column.decimals)]
            for row, curve in zip(rows, figure.curves, strict=True)
        ]
    if not names:
        names, rows = [NOT_MEASURED], [["-"] for _ in figure.curves]
    index = pd.MultiIndex.from_tuples([(curve.label,) for curve in figure.curves], names=["Method"])
    columns = pd.MultiIndex.from_tuples([(_axis(column), name) for name in names])
    return Block(f"{column.name} after an epoch", pd.DataFrame(rows, index=index, columns=columns))


def _at(numbers: pd.DataFrame, curve: Curve, epoch: int, decimals: int) -> str:
    values = numbers[(numbers.curve == curve.label) & (numbers.epoch == epoch)].value.tolist()
    return number_text(fmean(values), decimals) if values else NOT_MEASURED
