"""A figure of two metrics of many runs: one panel per group, one mark per run, with the Pareto front."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes

from experiments.schema.figure import TradeoffScatter
from reproduce.evidence.context import RenderContext
from reproduce.figures.clipping import announce, clipped_range, is_clipped
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.figures.style import COLOURS, OWN, files, legend_below, panels, write_placeholder
from reproduce.statistics.pareto import pareto_front
from reproduce.tables.build import decimals_for
from reproduce.tables.cells import NOT_RUN
from reproduce.tables.rendered_table import Block, number_text

MARKERS = "osD^vPX*"
ROOM = 0.25
"""Share of the shown range that is left free for the names of clipped runs."""
COLUMNS = ["group", "family", "run", "seed", "run_id", "cost", "accuracy", "on_front"]


def draw_cloud(figure: TradeoffScatter, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with its numbers as csv and the front as md."""
    numbers = _numbers(figure, material)
    wanted, shown = len(material.requested_runs), len(numbers)
    fewer = " Not every run was made for every seed." if shown < wanted else ""
    blocks = [_block(figure, group.title, numbers) for group in figure.groups]
    sheet = picture_sheet(figure, material, blocks, numbers)
    notes = (f"Runs shown: {shown}.{fewer}", *_clipping_notes(figure, numbers))
    sheet = replace(sheet, notes=(*sheet.notes, *notes))
    families = list(dict.fromkeys(figure.family(requested.recipe) for requested in material.requested_runs))
    with panels(len(figure.groups), height=3.0) as (page, places):
        for axes, group in zip(places, figure.groups, strict=True):
            _panel(axes, families, numbers[numbers.group == group.title])
            axes.set_title(group.heading(material.scale))
            axes.set_xlabel(f"{figure.cost.name} ({figure.cost.unit})")
        places[0].set_ylabel(f"{figure.accuracy.name} ({figure.accuracy.unit})")
        legend_below(page, *places, columns=4)
        drawn = files(page)
    return with_caption(sheet, drawn)


def _numbers(figure: TradeoffScatter, material: RenderContext) -> pd.DataFrame:
    """One line per group and run that has both metrics."""
    columns = {group.title: group for group in figure.groups}
    lines = []
    for requested in material.requested_runs:
        outcome = material.outcomes.get(requested.recipe.run_id)
        keys = [columns[requested.group].metric(column) for column in (figure.cost, figure.accuracy)]
        if outcome is None or any(key not in outcome.metrics for key in keys):
            continue
        cost, accuracy = (outcome.metrics[key] for key in keys)
        lines.append(
            {
                "group": requested.group,
                "family": figure.family(requested.recipe),
                "run": requested.label,
                "seed": requested.recipe.seed,
                "run_id": requested.recipe.run_id,
                "cost": cost * figure.cost.factor,
                "accuracy": accuracy * figure.accuracy.factor,
            }
        )
    frame = pd.DataFrame(lines, columns=COLUMNS[:-1])
    frame["on_front"] = False
    for _, mine in frame.groupby("group"):
        points = list(zip(mine.cost, mine.accuracy, strict=True))
        frame.loc[mine.index[pareto_front(points)], "on_front"] = True
    return frame.round({"cost": 6, "accuracy": 4})


def _panel(axes: Axes, families: list[str], numbers: pd.DataFrame) -> None:
    if numbers.empty:
        write_placeholder(axes, NOT_RUN)
        return
    outliers = _clipped(numbers)
    for line in outliers.to_dict("records"):
        is_high = bool(line["accuracy"] > numbers.accuracy.median())
        announce(axes, "y", line["cost"], is_high, f"{line['family']}\n{line['accuracy']:.1f}, clipped")
    numbers = numbers.drop(outliers.index)
    if len(outliers):
        axes.margins(y=ROOM)
    front = numbers[numbers.on_front].sort_values(["cost", "accuracy"])
    axes.step(front.cost, front.accuracy, where="post", color=OWN, linewidth=0.8, zorder=2, label="front")
    for place, family in enumerate(families):
        mine = numbers[numbers.family == family]
        if len(mine):
            colour, marker = (*COLOURS, "0.45", "0.7")[place], MARKERS[place]
            axes.scatter(
                mine.cost,
                mine.accuracy,
                s=22,
                color=colour,
                marker=marker,
                edgecolors="white",
                linewidths=0.4,
                zorder=3,
                label=family,
            )


def _clipped(numbers: pd.DataFrame) -> pd.DataFrame:
    """The runs of one group that would squeeze all others."""
    ends = clipped_range(numbers.accuracy.tolist())
    return numbers[[is_clipped(value, ends) for value in numbers.accuracy]]


def _clipping_notes(figure: TradeoffScatter, numbers: pd.DataFrame) -> list[str]:
    """The runs that stand at an edge of their panel, with what they have."""
    return [
        f"Clipped in the panel of {title}: {line['run']}, {figure.accuracy.name} {line['accuracy']:.2f}."
        for title, mine in numbers.groupby("group", sort=False)
        for line in _clipped(mine).to_dict("records")
    ]


def _block(figure: TradeoffScatter, group: str, numbers: pd.DataFrame) -> Block:
    """The runs on the group's front, the cheapest first."""
    front = numbers[(numbers.group == group) & numbers.on_front].sort_values(["cost", "accuracy"])
    decimals = [decimals_for(figure.cost, front.cost), decimals_for(figure.accuracy, front.accuracy)]
    rows = [
        [number_text(cost, decimals[0]), number_text(accuracy, decimals[1])]
        for cost, accuracy in zip(front.cost, front.accuracy, strict=True)
    ]
    labels = [(f"{line.run}, seed {line.seed}",) for line in front.itertuples()]
    index = pd.MultiIndex.from_tuples(labels or [(NOT_RUN,)], names=["Run"])
    names = [f"{column.name} ({column.unit})" for column in (figure.cost, figure.accuracy)]
    columns = pd.MultiIndex.from_tuples([(group, name) for name in names])
    return Block(f"Pareto front of {group}", pd.DataFrame(rows or [["-", "-"]], index=index, columns=columns))
