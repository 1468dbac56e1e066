"""Style of every figure: fonts embedded as text, colours safe for colour blindness."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

WIDTH, HEIGHT = 7.0, 3.6
"""Inches: the text width of a two-column paper."""
PIXELS_PER_INCH = 256
"""Of pages that count in pixels; a power of two, so that no length is rounded."""
SETTINGS: Any = {
    "pdf.fonttype": 42,
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "savefig.dpi": 200,
    "svg.hashsalt": "figure",
}
METADATA: Any = {
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}
"""What the formats say of hour and program is left out, so that a figure drawn again is the same bytes."""
BAND, SHADE = "± standard deviation over seeds", 0.18
"""What a band about a line is, and how much it covers."""
MOST_COLUMNS = 5
"""Of a legend below the panels."""
OWN = "#000000"
# Okabe and Ito's palette, whose colours keep apart for all common kinds of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", ":")
STYLES = tuple((colour, dash) for dash, colour in product(DASHES, COLOURS))
"""Colour and dash of one line each; no two are the same."""


@contextmanager
def canvas() -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in the house style."""
    with panels(1, HEIGHT) as (figure, (axes,)):
        yield figure, axes


@contextmanager
def panels(count: int, height: float = 2.2, *, share_y: bool = False) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with so many pairs of axes beside each other, in the house style."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, list(figure.subplots(1, count, squeeze=False, sharey=share_y)[0])


def write_placeholder(axes: Axes, text: str) -> None:
    """Writes in the middle of empty axes why they are."""
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)


def whole_numbers(*axes: Axis) -> None:
    """Puts the ticks of an axis at whole numbers."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def band_in_legend(axes: "Axes") -> None:
    """Names the bands about the lines of these axes, in grey for all colours."""
    axes.fill_between([], [], color="0.5", alpha=2 * SHADE, linewidth=0, label=BAND)


def legend_below(figure: "Figure", *places: "Axes", columns: int = MOST_COLUMNS) -> None:
    """What is drawn in these axes, each name once, below all panels."""
    found = {
        label: handle
        for axes in places
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if found:
        ncols = min(columns, len(found))
        figure.legend([*found.values()], [*found], loc="outside lower center", ncols=ncols)


@contextmanager
def pixel_page(width: int, height: int) -> Iterator[tuple[Figure, Axes]]:
    """A figure of so many pixels; its axes count them from the top left corner and show no lines.

    What is drawn with its corners on whole numbers keeps its pixels in the png.
    """
    own: Any = {"savefig.dpi": PIXELS_PER_INCH, "image.interpolation": "none"}
    with matplotlib.rc_context({**SETTINGS, **own}):
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        yield figure, axes


def files(figure: Figure, *, tight: bool = False) -> dict[str, bytes]:
    """The figure as pdf, png and svg; the same bytes for the same drawing. Call it where it was made."""
    found = {}
    for suffix, metadata in METADATA.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix[1:], metadata=metadata, bbox_inches="tight" if tight else None)
        found[suffix] = buffer.getvalue()
    return found
