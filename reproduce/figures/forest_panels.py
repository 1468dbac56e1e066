"""Dots with intervals about zero, one line per choice, one panel per metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from reproduce.figures.clipping import announce, clipped_range, is_clipped
from reproduce.figures.style import COLOURS, OWN, files, legend_below, panels, write_placeholder
from reproduce.statistics.intervals import CONFIDENCE, Interval
from reproduce.tables.cells import NOT_RUN
from reproduce.tables.rendered_table import number_text

MARGINS, LINE = 1.25, 0.21
"""Inches: what stands above and below the lines, and the height of one."""
MANY = 100
"""From here on a clipped value is written without decimals."""
WHOLE, QUERIES = f"{CONFIDENCE:.0%} interval of the difference", "the part of other queries alone"


@dataclass(frozen=True)
class Line:
    """One choice in one panel; no interval where it was not run."""

    number: str
    label: str
    interval: Interval | None


def draw_panels(
    titles: Sequence[str], lines: Sequence[Sequence[Line]], bands: Sequence[float | None], band_text: str
) -> dict[str, bytes]:
    """The panels as pdf, png and svg.

    Args:
        titles: of the panels' horizontal axes.
        lines: per panel, from top to bottom.
        bands: per panel half the width of the grey band about zero; None for no band.
        band_text: what the band is.
    """
    height = MARGINS + LINE * len(lines[0])
    with panels(len(lines), height, share_y=True) as (page, places):
        for axes, title, mine, band in zip(places, titles, lines, bands, strict=True):
            axes.axvline(0, color=OWN, linewidth=0.8, zorder=2)
            if band is not None:
                axes.axvspan(-band, band, color="0.85", linewidth=0, zorder=1, label=band_text)
            outside = clipped_lines(mine)
            for place, line in enumerate(mine):
                if line.interval and line in outside:
                    mean = line.interval.mean
                    text = f"{line.number}: {number_text(mean, int(abs(mean) < MANY), signed=True)}, clipped"
                    announce(axes, "x", place, line.interval.mean > 0, text)
                elif line.interval:
                    _dot(axes, place, line.interval)
            if not any(line.interval for line in mine):
                write_placeholder(axes, NOT_RUN)
            axes.set_xlabel(title)
            axes.grid(visible=False, axis="y")
        places[0].set_yticks(range(len(lines[0])), [f"{line.label}  {line.number}" for line in lines[0]])
        places[0].set_ylim(len(lines[0]) - 0.4, -0.6)
        for axes in places:
            axes.tick_params(axis="y", length=0)
        legend_below(page, *places, columns=2)
        return files(page)


def clipped_lines(lines: Sequence[Line]) -> list[Line]:
    """Those of a panel that would squeeze all others, and are named at its edge."""
    ends = clipped_range([line.interval.mean for line in lines if line.interval])
    return [line for line in lines if line.interval and is_clipped(line.interval.mean, ends)]


def _dot(axes: "Axes", place: int, interval: Interval) -> None:
    """The difference; a thin line for its whole interval, a thick one for the part of other queries alone."""
    colour = COLOURS[0]
    ends = [interval.low, interval.high]
    axes.plot(ends, [place, place], color=colour, linewidth=0.9, zorder=3, label=WHOLE)
    if interval.queries is not None:
        ends = [interval.mean - interval.queries, interval.mean + interval.queries]
        axes.plot(
            ends, [place, place], color=colour, linewidth=2.8, solid_capstyle="butt", zorder=3, label=QUERIES
        )
    axes.plot(
        [interval.mean], [place], color=colour, marker="o", markersize=4.5, markeredgecolor="white", zorder=4
    )
