"""Axes without the few values that would squeeze all others; what is left out is said in the figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST, MOST_CLIPPED = 5, 0.05
"""Values that an axis must have for any to be clipped, and the share that may be."""
SQUEEZED = 1 / 3
"""Share of the whole range below which the others are squeezed."""
MARKERS, COLOUR = {("x", False): "<", ("x", True): ">", ("y", False): "v", ("y", True): "^"}, "0.3"
Range = tuple[float, float]


def clipped_range(values: Sequence[float]) -> Range | None:
    """Ends beyond which a few values squeeze all others into a third of the axis; None for no such value.

    Args:
        values: finite, of one axis.
    """
    found = sorted(values)
    if len(found) < FEWEST:
        return None
    few = max(1, int(MOST_CLIPPED * len(found)))
    inner = min(
        ((found[low], found[len(found) - 1 - few + low]) for low in range(few + 1)),
        key=lambda ends: ends[1] - ends[0],
    )
    width = inner[1] - inner[0]
    if width >= SQUEEZED * (found[-1] - found[0]):
        return None
    return inner[0] - width / 2, inner[1] + width / 2


def is_clipped(value: float, ends: Range | None) -> bool:
    """Whether the value lies beyond the ends."""
    return ends is not None and not ends[0] <= value <= ends[1]


def announce(axes: "Axes", along: Literal["x", "y"], at: float, is_high: bool, text: str) -> None:
    """Marks a value that is left out by an arrowhead at the edge of the axes, with what it is.

    Args:
        axes: where it is left out.
        along: the axis that ends before it.
        at: its place on the other axis.
        is_high: whether it lies beyond the upper end.
        text: beside the arrowhead.
    """
    edge = 0.98 if is_high else 0.02
    place = (edge, at) if along == "x" else (at, edge)
    coordinates = axes.get_yaxis_transform() if along == "x" else axes.get_xaxis_transform()
    axes.plot(*place, MARKERS[along, is_high], color=COLOUR, markersize=5, transform=coordinates, zorder=5)
    beside, side = ((-7, 0), "right") if along == "x" and is_high else ((7, 0), "left")
    above, vertical = ((0, -7), "top") if is_high else ((0, 7), "bottom")
    axes.annotate(
        text,
        place,
        xycoords=coordinates,
        xytext=beside if along == "x" else above,
        textcoords="offset points",
        ha=side if along == "x" else "center",
        va="center" if along == "x" else vertical,
        fontsize="small",
        color=COLOUR,
    )
