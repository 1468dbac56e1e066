"""A figure of what choices are worth: one line each, the difference from the default with its interval."""

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, stdev

import pandas as pd

from experiments.schema.figure import ForestPlot, Variant
from experiments.schema.table import Column
from reproduce.evidence.context import RenderContext
from reproduce.figures.effect_sizes import Effect, PairedComparison
from reproduce.figures.forest_panels import Line, clipped_lines, draw_panels
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.statistics.intervals import CONFIDENCE, Interval
from reproduce.tables.build import decimals_for
from reproduce.tables.cells import NOT_RUN
from reproduce.tables.rendered_table import Block, number_text

PERCENT_DECIMALS = 1
NUMBERS = ["number", "choice", "column", "seeds", "mean", "default"]
NUMBERS += ["difference", "unit", "low", "high", "queries"]
Worths = Mapping[tuple[str, str], Effect]
"""By label of the choice and name of the column."""


def draw_forest(figure: ForestPlot, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and its tables as md."""
    comparison = PairedComparison(figure, material)
    worths = {
        (choice.label, column.name): comparison.worth(choice, column)
        for choice in figure.curves
        for column in figure.columns
    }
    blocks = [_worth_block(figure, comparison, worths), _points(figure)]
    sheet = picture_sheet(figure, material, blocks, _numbers(figure, comparison, worths))
    sheet = replace(sheet, notes=(*sheet.notes, *_notes(figure, comparison, worths)))
    lines = [_panel_lines(figure, column, worths) for column in figure.panels]
    bands = [comparison.seed_deviation(column) for column in figure.panels]
    titles = [f"{column.name}, {_difference(column)}" for column in figure.panels]
    return with_caption(sheet, draw_panels(titles, lines, bands, _band_text(figure, comparison)))


def unit_of_difference(column: Column) -> str:
    """The unit in which a column's differences are given; empty for counts."""
    if column.relative == "percent":
        return "%"
    return "points" if column.unit == "%" else column.unit


def interval_text(interval: Interval | None, decimals: int) -> str:
    """The difference, and behind it its interval in brackets where it has one."""
    if interval is None:
        return NOT_RUN
    mean, low, high = (
        number_text(v, decimals, signed=True) for v in (interval.mean, interval.low, interval.high)
    )
    return f"{mean} [{low}, {high}]" if interval.has_width else mean


def _worth_block(figure: ForestPlot, comparison: PairedComparison, worths: Worths) -> Block:
    """The default, then every choice: means over the seeds, and differences."""
    names = [(_heading(c), part) for c in figure.columns for part in ("mean", _difference(c))]
    rows: dict[tuple[str, str], list[str]] = {("-", figure.default.label): []}
    decimals = {}
    for column in figure.columns:
        default = list(comparison.default(column).values())
        found = [w.values.values() for (_, name), w in worths.items() if name == column.name]
        decimals[column.name] = decimals_for(column, [*default, *(value for each in found for value in each)])
        rows["-", figure.default.label] += [_mean(default, decimals[column.name]), "-"]
    for choice in figure.curves:
        cells = rows[choice.number, choice.label] = []
        for column in figure.columns:
            worth = worths[choice.label, column.name]
            cells.append(_mean(list(worth.values.values()), decimals[column.name]))
            cells.append(interval_text(worth.interval, _decimals_of_difference(column)))
    title = f"Every point switched alone; differences from {figure.default.label}"
    return Block.of(title, rows, ("No.", "Switched to"), names)


def _points(figure: ForestPlot) -> Block:
    """What the text and the release say of every point, and what switches it."""
    index = [(choice.number, choice.label) for choice in figure.curves]
    cells = [[choice.text, choice.release, choice.setting] for choice in figure.curves]
    names = [
        ("The point in", "the text"),
        ("The point in", "the release"),
        ("Decided by", "field of the recipe"),
    ]
    frame = pd.DataFrame(
        cells,
        index=pd.MultiIndex.from_tuples(index, names=("No.", "Switched to")),
        columns=pd.MultiIndex.from_tuples(names),
    )
    return Block("The points, by their numbers in DIFFERENCES.md", frame, words=True)


def _numbers(figure: ForestPlot, comparison: PairedComparison, worths: Worths) -> pd.DataFrame:
    """One line per choice and column; `queries` is the half width that other queries alone give."""
    lines = [
        _line(choice, column, worths[choice.label, column.name], comparison.default(column))
        for choice in figure.curves
        for column in figure.columns
    ]
    return pd.DataFrame(lines, columns=NUMBERS)


def _line(choice: Variant, column: Column, worth: Effect, default: Mapping[int, float]) -> list[object]:
    values, found = list(worth.values.values()), worth.interval
    has_width = found is not None and found.has_width
    of_default = [default[seed] for seed in worth.values if seed in default]
    return [
        choice.number,
        choice.label,
        column.name,
        len(values),
        round(fmean(values), 5) if values else None,
        round(fmean(of_default), 5) if of_default else None,
        round(found.mean, 4) if found else None,
        unit_of_difference(column),
        round(found.low, 4) if found and has_width else None,
        round(found.high, 4) if found and has_width else None,
        round(found.queries, 4) if found and found.queries is not None else None,
    ]


def _notes(figure: ForestPlot, comparison: PairedComparison, worths: Worths) -> list[str]:
    """What the intervals are of, and the band."""
    seeds = len(comparison.default_everywhere(figure.columns[0]))
    band = f"Grey band: {_band_text(figure, comparison)}."
    return [*_of_intervals(worths), *([band] if seeds > 1 else []), *_clipping_notes(figure, worths)]


def _clipping_notes(figure: ForestPlot, worths: Worths) -> list[str]:
    """The choices that stand at the edge of a panel, which has no room for them."""
    return [
        f"Clipped in the panel of {column.name}: {line.number}, "
        f"{interval_text(line.interval, _decimals_of_difference(column))}."
        for column in figure.panels
        for line in clipped_lines(_panel_lines(figure, column, worths))
    ]


def _panel_lines(figure: ForestPlot, column: Column, worths: Worths) -> list[Line]:
    return [
        Line(choice.number, choice.label, worths[choice.label, column.name].interval)
        for choice in figure.curves
    ]


def _band_text(figure: ForestPlot, comparison: PairedComparison) -> str:
    seeds = len(comparison.default_everywhere(figure.columns[0]))
    return f"{figure.default.label} ± its standard deviation over {seeds} seeds"


def _of_intervals(worths: Worths) -> list[str]:
    found = [(name, worth.interval) for (_, name), worth in worths.items() if worth.interval]
    over_queries = list(dict.fromkeys(name for name, interval in found if interval.queries is not None))
    over_seeds = any(interval.spread for _, interval in found)
    if not over_queries and not over_seeds:
        return []
    over = "over seeds" if over_seeds else "over queries for the same trained networks"
    texts = [f"Brackets, and thin lines: {CONFIDENCE:.0%} interval of the difference, {over}."]
    if over_queries:
        texts.append(
            f"Of {' and '.join(over_queries)} also over other queries, whose identities are drawn together "
            "(thick lines: these alone)."
        )
    if any(interval.pooled_from_other_runs for _, interval in found):
        texts.append(
            "A choice of one seed tells nothing of others: their spread is that of recorded runs of several "
            "seeds, as if nothing joined the two runs of a seed. What the default's own run had by chance is "
            "in all differences alike."
        )
    return [" ".join(texts)]


def _mean(values: list[float], decimals: int) -> str:
    if not values:
        return NOT_RUN
    deviation = f" ± {stdev(values):.{decimals}f}" if len(values) > 1 else ""
    return number_text(fmean(values), decimals) + deviation


def _decimals_of_difference(column: Column) -> int:
    return PERCENT_DECIMALS if column.relative == "percent" else column.decimals


def _difference(column: Column) -> str:
    unit = unit_of_difference(column)
    return f"difference ({unit})" if unit else "difference"


def _heading(column: Column) -> str:
    return f"{column.name} ({column.unit})" if column.unit else column.name
