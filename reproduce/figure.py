"""A figure of curves over epochs: its numbers, what a terminal shows of it, and its files."""

from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING

import pandas as pd

from reproduce.caption import caption, title
from reproduce.cells import NOT_RUN
from reproduce.drawn_picture import DrawnPicture, with_caption
from reproduce.figure_style import OWN, STYLES, canvas, files
from reproduce.material import Material
from reproduce.picture import Curve, Figure
from reproduce.table import Block, Sheet, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Mapping[str, list[float | None]]
"""Per metric one value for each epoch, None where it was not measured; `epoch` has their numbers."""


def draw_figure(figure: Figure, material: Material) -> DrawnPicture:
    """The figure as pdf and png, with its numbers as csv and its caption as md."""
    numbers, marks = _numbers(figure, material), _marks(figure, material)
    notes = caption(figure, material)
    heading = title(figure, material.scale, material.wishes)
    sheet = Sheet(figure.name, heading, (_block(figure, numbers, marks),), tuple(notes), numbers)
    with canvas() as (page, axes):
        _trace(axes, figure, numbers, marks)
        if len(numbers):
            page.legend(loc="outside right upper", title=f"{figure.column.name} at the end")
        else:
            axes.text(0.5, 0.5, NOT_RUN, ha="center", transform=axes.transAxes)
        drawn = files(page)
    return with_caption(sheet, drawn)


def _numbers(figure: Figure, material: Material) -> pd.DataFrame:
    """One line per curve, seed and measured epoch, in the column's unit."""
    key = figure.group.metric(figure.column)
    lines = [
        {"curve": wish.label, "seed": wish.recipe.seed, "epoch": epoch, "value": value * figure.column.factor}
        for wish in material.wishes
        if wish.recipe.run_id in material.records
        for epoch, value in _measured(material.records[wish.recipe.run_id].history, key)
    ]
    frame = pd.DataFrame(lines, columns=["curve", "seed", "epoch", "value"])
    return frame.astype({"seed": int, "epoch": int, "value": float}).round({"value": 4})


def _measured(history: History, key: str) -> list[tuple[int, float]]:
    values = zip(history.get("epoch", []), history.get(key, []), strict=False)
    return [(int(epoch), value) for epoch, value in values if epoch is not None and value is not None]


def _marks(figure: Figure, material: Material) -> list[tuple[int, str]]:
    recipes = {wish.label: wish.recipe for wish in material.wishes}
    return [(mark.epoch(recipes[mark.curve]), mark.text) for mark in figure.marks]


def _trace(axes: "Axes", figure: Figure, numbers: pd.DataFrame, marks: list[tuple[int, str]]) -> None:
    from matplotlib.ticker import MaxNLocator

    styles = iter(STYLES)
    looks = {curve.label: (OWN, "-") if curve.own else next(styles) for curve in figure.curves}
    for curve in sorted(figure.curves, key=lambda curve: -_last(numbers, curve.label)):
        mine = numbers[numbers.curve == curve.label]
        if mine.empty:
            continue
        by_epoch = mine.groupby("epoch").value
        mean, epochs = by_epoch.mean(), sorted(set(mine.epoch))
        colour, dash = looks[curve.label]
        width, order = (2.0, 4) if curve.own else (1.1, 3)
        label = f"{curve.label}  {mean.iloc[-1]:.1f}"
        axes.plot(epochs, mean, color=colour, linestyle=dash, linewidth=width, zorder=order, label=label)
        if mine.seed.nunique() > 1:
            spread = by_epoch.std()
            axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
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
    axes.set_xlabel("epoch")
    axes.set_ylabel(_axis(figure))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.02)


def _axis(figure: Figure) -> str:
    return f"{figure.column.name} ({figure.column.unit})"


def _last(numbers: pd.DataFrame, label: str) -> float:
    mine = numbers[numbers.curve == label]
    return float(mine[mine.epoch == mine.epoch.max()].value.mean()) if len(mine) else 0.0


def _block(figure: Figure, numbers: pd.DataFrame, marks: list[tuple[int, str]]) -> Block:
    """Every curve before and after the marks and at the end, with the paper's last number."""
    last = int(numbers.epoch.max()) if len(numbers) else 0
    epochs = sorted({*(e for mark, _ in marks for e in (mark - 1, mark) if 0 < e < last), last} - {0})
    names = [f"epoch {epoch}" for epoch in epochs] + ["paper, last epoch"]
    rows = [[*(_at(numbers, curve, epoch) for epoch in epochs), _paper(curve)] for curve in figure.curves]
    index = pd.MultiIndex.from_tuples([(curve.label,) for curve in figure.curves], names=["Method"])
    columns = pd.MultiIndex.from_tuples([(_axis(figure), name) for name in names])
    return Block(f"{figure.column.name} after an epoch", pd.DataFrame(rows, index=index, columns=columns))


def _at(numbers: pd.DataFrame, curve: Curve, epoch: int) -> str:
    values = numbers[(numbers.curve == curve.label) & (numbers.epoch == epoch)].value.tolist()
    return number_text(fmean(values), 2) if values else NOT_RUN


def _paper(curve: Curve) -> str:
    return number_text(curve.paper, 2)
