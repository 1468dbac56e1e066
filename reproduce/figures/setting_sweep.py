"""A figure of one setting: one panel per column, one line per data set, with what another seed changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from experiments.schema.claim import FinalMetric
from experiments.schema.figure import Sweep
from experiments.schema.table import Column
from reproduce.claims.seed_variance import PooledSeedStd
from reproduce.evidence.context import RenderContext
from reproduce.evidence.run_lookup import RunLookup
from reproduce.figures.output import RenderedFigure, with_caption
from reproduce.figures.style import (
    COLOURS,
    OWN,
    SHADE,
    band_in_legend,
    files,
    legend_below,
    panels,
    write_placeholder,
)
from reproduce.tables.build import draw
from reproduce.tables.cells import NOT_RUN, measure, relative

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAME_RUNS = "At this scale both data sets are stood in for by the same runs, so their costs coincide."
UNKNOWN_SPREAD = "spread over seeds unknown: no runs of several seeds"
MARKERS = ("o", "s", "^", "D")
SAME_COLOUR, SAME_MARKER = "0.25", "D"
BANDS_PER_AXIS = 8
"""Half widths of the widest band in an axis, at least: what another seed changes is never a cliff."""
LEAST_SPAN = 10.0
"""Percent, or points, that an axis without a band shows at least."""
Deviations = Mapping[tuple[str, str], float]
"""Standard deviation over seeds by group and column: of a cost relative to it, else in the column's unit."""


@dataclass(frozen=True)
class Line:
    """One line of a panel, by value of the setting.

    Attributes:
        deviations: over seeds, of every point; empty where they are unknown.
        paper: the paper's numbers.
        faint: whether it is the reference beside the user's line.
    """

    label: str
    colour: str
    marker: str
    points: Mapping[float, float]
    deviations: Mapping[float, float]
    paper: Mapping[float, float]
    faint: bool = False


def draw_sweep(sweep: Sweep, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and its table as md.

    At the paper's scale its axes are those of the columns; elsewhere all is relative to the table's
    reference row, where it has one. The committed runs are drawn in the same axes.
    """
    table = sweep.table
    columns = {column.name: column for group in table.groups for column in group.columns}
    deviations = seed_deviations(sweep, material)
    if not deviations and material.reference:
        deviations = seed_deviations(sweep, material.of_reference())
    with panels(len(columns)) as (page, places):
        for axes, (name, column) in zip(places, columns.items(), strict=True):
            _panel(axes, sweep, column, _lines(sweep, name, material, deviations), material)
        legend_below(page, *places, columns=4)
        pages = files(page)
    sheet = draw(table, material)
    notes = (*sheet.notes, *_notes(sweep, material, deviations))
    return with_caption(replace(sheet, notes=notes), pages)


def seed_deviations(sweep: Sweep, material: RenderContext) -> Deviations:
    """What another seed changes, pooled over all runs on these data that are recorded with several seeds."""
    evidence = RunLookup(material.records_folder, material.scale, {})
    spreads, found = PooledSeedStd(evidence), {}
    for group in sweep.groups:
        recipes = [
            requested.recipe for requested in material.requested_runs if requested.group == group.title
        ]
        runs = (evidence.recorded(recipe, group.protocol) for recipe in recipes)
        run = next((run for run in runs if run), None)
        for column in group.columns:
            spread = spreads.of_run(FinalMetric(column), run) if run else None
            if spread:
                found[group.title, column.name] = spread.deviation
    return found


def axis_range(lines: Sequence[Line], least: float) -> tuple[float, float]:
    """The ends of an axis with all points and bands, in which no band takes more than its share."""
    halves = [half for line in lines for half in line.deviations.values()]
    low = [value - line.deviations.get(x, 0.0) for line in lines for x, value in line.points.items()]
    high = [value + line.deviations.get(x, 0.0) for line in lines for x, value in line.points.items()]
    paper = [value for line in lines for value in line.paper.values()]
    bottom, top = min([*low, *paper]), max([*high, *paper])
    width = max(1.1 * (top - bottom), BANDS_PER_AXIS * max(halves) if halves else least)
    return (bottom + top - width) / 2, (bottom + top + width) / 2


def _is_relative(sweep: Sweep, material: RenderContext) -> bool:
    return material.scale != "paper" and sweep.table.reference is not None


def _lines(sweep: Sweep, name: str, material: RenderContext, deviations: Deviations) -> list[Line]:
    """One column's lines: of the runs that are drawn, then faintly of the reference beside them."""
    found = _lines_of(sweep, name, material, deviations)
    beside = _lines_of(sweep, name, material.of_reference(), {}) if material.reference else []
    faint = [replace(each, label=f"reference: {each.label}", paper={}, faint=True) for each in beside]
    return [*found, *(line for line in faint if line.points)]


def _lines_of(sweep: Sweep, name: str, material: RenderContext, deviations: Deviations) -> list[Line]:
    cells = measure(sweep.table, material.requested_runs, material.outcomes)
    if is_relative := _is_relative(sweep, material):
        cells = relative(sweep.table, cells)
    found = []
    for number, group in enumerate(sweep.groups):
        for column in (column for column in group.columns if column.name == name):
            mine = {x: cells[label, group.title, name] for label, x in sweep.values.items()}
            points = {x: cell.mean for x, cell in mine.items() if cell.mean is not None}
            paper = {x: cell.paper for x, cell in mine.items() if cell.paper is not None}
            deviation = deviations.get((group.title, name))
            # Where all is relative, the default's own number says nothing.
            paper = paper if len(paper) > is_relative else {}
            halves = {x: _half_width(column, deviation, value) for x, value in points.items() if deviation}
            look = COLOURS[number], MARKERS[number]
            found.append(Line(group.heading(material.scale), *look, points, halves, paper))
    return _merged([line for line in found if line.points])


def _half_width(column: Column, deviation: float, value: float) -> float:
    return deviation * (value if column.relative == "percent" else 1.0)


def _merged(lines: list[Line]) -> list[Line]:
    """Lines of the same points as one, whose paper's numbers stay apart."""
    if len(lines) < 2 or any(line.points != lines[0].points for line in lines):
        return lines
    hidden = [replace(line, points={}, deviations={}) for line in lines if line.paper]
    return [
        replace(lines[0], label="both: the same runs", colour=SAME_COLOUR, marker=SAME_MARKER, paper={}),
        *hidden,
    ]


def _panel(axes: "Axes", sweep: Sweep, column: Column, lines: list[Line], material: RenderContext) -> None:
    is_relative = _is_relative(sweep, material)
    axes.set_ylabel(_axis(column, sweep.table.reference if is_relative else None))
    axes.set_xlabel(sweep.axis)
    if sweep.logarithmic:
        axes.set_xscale("log", base=2)
    places = list(sweep.values.values())
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()
    if not lines:
        write_placeholder(axes, NOT_RUN)
        return
    if is_relative:
        level = 100.0 if column.relative == "percent" else 0.0
        axes.axhline(level, color=OWN, linewidth=0.8, zorder=2, label=sweep.table.reference)
    elif sweep.baseline:
        _baselines(axes, sweep, column, material)
    for line in lines:
        _line(axes, line)
    if any(line.deviations for line in lines):
        band_in_legend(axes)
    else:
        axes.annotate(UNKNOWN_SPREAD, (0.99, 0.03), xycoords="axes fraction", ha="right", color="0.3")
    in_percent = is_relative or column.unit == "%"
    largest = max(abs(value) for line in lines for value in line.points.values())
    axes.set_ylim(axis_range(lines, LEAST_SPAN if in_percent else LEAST_SPAN / 100 * largest))


def _axis(column: Column, reference: str | None) -> str:
    if reference is None:
        return f"{column.name} ({column.unit})"
    is_share = column.relative == "percent"
    return f"{column.name} (% of {reference})" if is_share else f"{column.name} diff. (points)"


def _baselines(axes: "Axes", sweep: Sweep, column: Column, material: RenderContext) -> None:
    cells = measure(sweep.table, material.requested_runs, material.outcomes)
    for number, group in enumerate(sweep.groups):
        mean = cells[str(sweep.baseline), group.title, column.name].mean
        if mean is not None:
            axes.axhline(mean, color=COLOURS[number], linewidth=0.9, label=sweep.baseline)


def _line(axes: "Axes", line: Line) -> None:
    x, values = list(line.points), list(line.points.values())
    if line.deviations:
        halves = [line.deviations[place] for place in x]
        low, high = ([v + sign * h for v, h in zip(values, halves, strict=True)] for sign in (-1, 1))
        axes.fill_between(x, low, high, color=line.colour, alpha=SHADE, linewidth=0, zorder=1)
    if x:
        dash, alpha = ("--", 0.5) if line.faint else ("-", 1.0)
        look: Any = {"color": line.colour, "marker": line.marker, "markersize": 4.5, "linestyle": dash}
        axes.plot(x, values, alpha=alpha, label=line.label, **look)
    if line.paper:
        axes.plot(
            [*line.paper],
            [*line.paper.values()],
            color=line.colour,
            linestyle=":",
            marker=line.marker,
            markerfacecolor="white",
            label=f"the paper's, {line.label.removesuffix(' protocol')}",
        )


def _notes(sweep: Sweep, material: RenderContext, deviations: Deviations) -> list[str]:
    """What the figure shows beside the measured points."""
    notes = []
    if len({requested.recipe.run_id for requested in material.requested_runs}) < len(material.requested_runs):
        notes.append(SAME_RUNS)
    if _is_relative(sweep, material):
        notes.append(
            f"The figure shows what is relative to {sweep.table.reference}, as the second table does."
        )
    if not material.outcomes:
        return notes
    if not deviations:
        return [*notes, f"No band: {UNKNOWN_SPREAD}."]
    texts = [_deviation_text(sweep, *place, deviation) for place, deviation in deviations.items()]
    return [
        *notes,
        f"Bands: one standard deviation over seeds, pooled over all recorded runs: {'; '.join(texts)}.",
    ]


def _deviation_text(sweep: Sweep, title: str, name: str, deviation: float) -> str:
    column = next(
        c for group in sweep.groups if group.title == title for c in group.columns if c.name == name
    )
    if column.relative == "percent":
        return f"{name}, {title}, {100 * deviation:.1f} %"
    return f"{name}, {title}, {deviation:.2f} points"
