"""Dots with intervals about zero, one line per choice, one panel per metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from reproduce.figures.style import COLOURS, OWN, files, panels, say
from reproduce.statistics.intervals import Interval
from reproduce.tables.cells import NOT_RUN

MARGINS, LINE = 0.9, 0.21
"""Inches: what stands above and below the lines, and the height of one."""


@dataclass(frozen=True)
class Line:
    """One choice in one panel; no interval where it was not run."""

    number: str
    label: str
    interval: Interval | None


def draw_panels(
    titles: Sequence[str], lines: Sequence[Sequence[Line]], bands: Sequence[float | None]
) -> dict[str, bytes]:
    """The panels as pdf, png and svg.

    Args:
        titles: of the panels' horizontal axes.
        lines: per panel, from top to bottom.
        bands: per panel half the width of the grey band about zero; None for no band.
    """
    height = MARGINS + LINE * len(lines[0])
    with panels(len(lines), height, share_y=True) as (page, places):
        for axes, title, mine, band in zip(places, titles, lines, bands, strict=True):
            axes.axvline(0, color=OWN, linewidth=0.8, zorder=2)
            if band is not None:
                axes.axvspan(-band, band, color="0.85", linewidth=0, zorder=1)
            for place, line in enumerate(mine):
                if line.interval:
                    _dot(axes, place, line.interval)
            if not any(line.interval for line in mine):
                say(axes, NOT_RUN)
            axes.set_xlabel(title)
            axes.grid(visible=False, axis="y")
        places[0].set_yticks(range(len(lines[0])), [f"{line.label}  {line.number}" for line in lines[0]])
        places[0].set_ylim(len(lines[0]) - 0.4, -0.6)
        for axes in places:
            axes.tick_params(axis="y", length=0)
        return files(page)


def _dot(axes: Axes, place: int, interval: Interval) -> None:
    """The difference; a thin line for its whole interval, a thick one for the part of other queries alone."""
    colour = COLOURS[0]
    axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=0.9, zorder=3)
    if interval.queries is not None:
        ends = [interval.mean - interval.queries, interval.mean + interval.queries]
        axes.plot(ends, [place, place], color=colour, linewidth=2.8, solid_capstyle="butt", zorder=3)
    axes.plot(
        [interval.mean], [place], color=colour, marker="o", markersize=4.5, markeredgecolor="white", zorder=4
    )
