"""A figure of one setting: one panel per column, one line per data set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reproduce.artifact import Column, Group
from reproduce.cells import NOT_RUN, Cell, CellKey, measure
from reproduce.drawn_picture import DrawnPicture, with_caption
from reproduce.figure_style import STYLES, files, legend_below, panels
from reproduce.material import Material
from reproduce.picture import Sweep
from reproduce.table import draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D")


def draw_sweep(sweep: Sweep, material: Material) -> DrawnPicture:
    """The figure as pdf and png, with its numbers as csv and its table as md."""
    table = sweep.table
    cells = measure(table, material.wishes, material.outcomes)
    columns = list(dict.fromkeys(column.name for group in table.groups for column in group.columns))
    with panels(len(columns)) as (page, axes):
        for place, name in zip(axes, columns, strict=True):
            _panel(place, sweep, name, cells)
        legend_below(page, axes[0])
        drawn = files(page)
    return with_caption(draw(table, material), drawn)


def _panel(axes: "Axes", sweep: Sweep, name: str, cells: Mapping[CellKey, Cell]) -> None:
    shown = False
    for number, group in enumerate(sweep.table.groups):
        for column in (column for column in group.columns if column.name == name):
            shown |= _line(axes, sweep, group, column, number, cells)
            axes.set_ylabel(f"{column.name} ({column.unit})")
    axes.set_xlabel(sweep.axis)
    axes.set_xticks(list(sweep.values.values()))
    if not shown:
        axes.text(0.5, 0.5, NOT_RUN, ha="center", transform=axes.transAxes)


def _line(
    axes: "Axes", sweep: Sweep, group: Group, column: Column, number: int, cells: Mapping[CellKey, Cell]
) -> bool:
    points = [(sweep.values[label], cells[label, group.title, column.name]) for label in sweep.values]
    mine = [(x, cell.mean, cell.deviation or 0.0) for x, cell in points if cell.mean is not None]
    if not mine:
        return False
    colour = STYLES[number][0]
    x, mean, spread = (list(values) for values in zip(*mine, strict=True))
    label, marker = f"{group.title} protocol", MARKERS[number]
    axes.errorbar(
        x, mean, yerr=spread if any(spread) else None, color=colour, marker=marker, capsize=2, label=label
    )
    return True
