"""A figure of one setting: one panel per column, one line per data set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from matplotlib.axes import Axes

from experiments.schema.figure import Sweep
from experiments.schema.scale import Scale
from reproduce.evidence.context import Material
from reproduce.figures.output import DrawnPicture, with_caption
from reproduce.figures.style import STYLES, files, legend_below, panels, say
from reproduce.tables.build import draw
from reproduce.tables.cells import NOT_RUN, Cell, CellKey, measure

SAME_RUNS = "At this scale both data sets are stood in for by the same runs, so their costs coincide."
MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class Look:
    """How the line of one data set is drawn, and its name."""

    colour: str
    marker: str
    label: str


def draw_sweep(sweep: Sweep, material: Material) -> DrawnPicture:
    """The figure as pdf, png and svg, with its numbers as csv and its table as md."""
    table = sweep.table
    cells = measure(table, material.wishes, material.outcomes)
    columns = list(dict.fromkeys(column.name for group in table.groups for column in group.columns))
    with panels(len(columns)) as (page, axes):
        for place, name in zip(axes, columns, strict=True):
            _panel(place, sweep, name, cells, material.scale)
        legend_below(page, axes[0])
        drawn = files(page)
    sheet = draw(table, material)
    if len({wish.recipe.run_id for wish in material.wishes}) < len(material.wishes):
        sheet = replace(sheet, notes=(*sheet.notes, SAME_RUNS))
    return with_caption(sheet, drawn)


def _panel(axes: Axes, sweep: Sweep, name: str, cells: Mapping[CellKey, Cell], scale: Scale) -> None:
    shown = False
    for number, group in enumerate(sweep.table.groups):
        for column in (column for column in group.columns if column.name == name):
            look = Look(STYLES[number][0], MARKERS[number], group.heading(scale))
            shown |= _line(axes, sweep, (group.title, column.name), look, cells)
            axes.set_ylabel(f"{column.name} ({column.unit})")
    axes.set_xlabel(sweep.axis)
    if sweep.logarithmic:
        axes.set_xscale("log", base=2)
    places = list(sweep.values.values())
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()
    if not shown:
        say(axes, NOT_RUN)


def _line(
    axes: Axes, sweep: Sweep, place: tuple[str, str], look: Look, cells: Mapping[CellKey, Cell]
) -> bool:
    points = [(sweep.values[label], cells[label, *place]) for label in sweep.values]
    mine = [(x, cell.mean, cell.deviation or 0.0) for x, cell in points if cell.mean is not None]
    baseline = cells[sweep.baseline, *place].mean if sweep.baseline else None
    if baseline is not None:
        axes.axhline(baseline, color=look.colour, linewidth=0.9, label=sweep.baseline)
    if not mine:
        return False
    x, mean, spread = (list(values) for values in zip(*mine, strict=True))
    axes.errorbar(
        x,
        mean,
        yerr=spread if any(spread) else None,
        color=look.colour,
        marker=look.marker,
        capsize=2,
        label=look.label,
    )
    return True
