"""Rows of pictures: a query and, behind a gap, what it is compared with; frames and texts are data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from reproduce.figures.style import PIXELS_PER_INCH, WIDTH, files, pixel_page

Frame = Literal["right", "wrong", "own"]
LOOKS: dict[Frame, tuple[str, Any]] = {
    "right": ("#009E73", "-"),
    "wrong": ("#D55E00", (0, (2.2, 1.1))),
    "own": ("#D55E00", "-"),
}
"""Colour and dash of a frame: of Okabe and Ito's palette, and apart without colour where they meet."""
POINT = PIXELS_PER_INCH / 72
TEXT_POINTS = 7
LINE, FRAME = 28, 6
"""Pixels from line to line of a text, and across a frame."""
BASELINE = 0.75
"""Share of a line above its baseline, on which a row's texts stand together whatever signs they have."""
GAP, SPACE, BELOW, MARGIN = 36, 18, 14, 8
"""Pixels behind the first picture of a row, between pictures, below a row, and above and below all rows."""
NARROWEST, WIDEST = 136, PIXELS_PER_INCH
"""Pixels that a picture and its space take: enough for its text, and no more than it is worth."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture with its frame and the text below it.

    Attributes:
        pixels: height x width x 3, of the same size in the whole grid.
        frame: what it is said to be; None draws no frame.
        text: short lines.
    """

    pixels: NDArray[np.uint8]
    frame: Frame | None = None
    text: str = ""


def draw_grid(rows: Sequence[Sequence[Tile]], headings: Sequence[str] = ()) -> dict[str, bytes]:
    """The grid as pdf, png and svg, as wide as a paper's text up to twelve columns; same tiles, same bytes.

    Pictures with less pixels than their place are enlarged by a whole factor without smoothing, larger
    ones are reduced to it.

    Args:
        rows: the first tile of each stands before a gap; rows may have different lengths.
        headings: of the columns, from the first.

    Raises:
        ValueError: without any tile, for pictures of several sizes or of another form than 8-bit colour.
    """
    layout = _layout(rows, headings)
    with pixel_page(layout.page_width, layout.page_height) as (page, axes):
        for column, heading in enumerate(headings[: layout.columns]):
            _write(axes, heading, layout.corner(0, column)[0] + layout.width / 2, MARGIN)
        for number, row in enumerate(rows):
            for column, tile in enumerate(row):
                _place(axes, tile, layout, layout.corner(number, column))
        return files(page)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Sizes in pixels. `width` and `height` are those of a picture on the page."""

    rows: int
    columns: int
    width: int
    height: int
    pitch: int
    head: int
    text: int

    @property
    def page_width(self) -> int:
        return self.columns * self.pitch + (GAP if self.columns > 1 else 0)

    @property
    def row_pitch(self) -> int:
        return self.height + self.text + SPACE + BELOW

    @property
    def page_height(self) -> int:
        return self.head + self.rows * self.row_pitch - BELOW + 2 * MARGIN

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Left and top of a picture."""
        left = column * self.pitch + (self.pitch - self.width) // 2 + (GAP if column else 0)
        return left, MARGIN + self.head + SPACE // 2 + row * self.row_pitch


def _layout(rows: Sequence[Sequence[Tile]], headings: Sequence[str]) -> _Layout:
    tiles = [tile for row in rows for tile in row]
    if not tiles:
        raise ValueError("there is no picture to draw: give at least one row with one tile")
    shapes = {tile.pixels.shape for tile in tiles}
    kinds = {tile.pixels.dtype for tile in tiles}
    (first, *others) = shapes
    if others or len(first) != 3 or first[2] != 3 or kinds != {np.dtype(np.uint8)}:
        found = f"{', '.join(map(str, sorted(shapes)))} of {', '.join(sorted(map(str, kinds)))}"
        raise ValueError(f"pictures of shape {found}: give all as height x width x 3 of uint8, in one size")
    columns = max(len(row) for row in rows)
    pitch = max(NARROWEST, min(WIDEST, (int(WIDTH * PIXELS_PER_INCH) - GAP) // columns))
    width, height = _shown_size(first[1], first[0], pitch - SPACE)
    lines = max(tile.text.count("\n") + 1 if tile.text else 0 for tile in tiles)
    return _Layout(
        rows=len(rows),
        columns=columns,
        width=width,
        height=height,
        pitch=pitch,
        head=LINE if headings else 0,
        text=lines * LINE,
    )


def _shown_size(width: int, height: int, room: int) -> tuple[int, int]:
    """Size on the page: the largest multiple that fits, or the whole width where the picture is larger."""
    factor = room // width
    return (width * factor, height * factor) if factor else (room, max(1, round(height * room / width)))


def _place(axes: Axes, tile: Tile, layout: _Layout, corner: tuple[int, int]) -> None:

    left, top = corner
    width, height = layout.width, layout.height
    axes.imshow(
        _resized(tile.pixels, width, height),
        extent=(left, left + width, top + height, top),
        aspect="auto",
    )
    if tile.frame:
        colour, dash = LOOKS[tile.frame]
        # Outside of the picture, whose every pixel stays visible.
        away = FRAME / 2
        border = Rectangle((left - away, top - away), width + 2 * away, height + 2 * away, fill=False)
        border.set(edgecolor=colour, linestyle=dash, linewidth=FRAME / POINT, joinstyle="miter")
        axes.add_patch(border)
    _write(axes, tile.text, left + width / 2, top + height + SPACE // 2)


def _write(axes: Axes, text: str, middle: float, top: int) -> None:
    """Centred lines below each other."""
    for number, line in enumerate(text.splitlines()):
        baseline = top + (number + BASELINE) * LINE
        axes.text(middle, baseline, line, ha="center", va="baseline", fontsize=TEXT_POINTS)


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if width >= pixels.shape[1]:
        factor = width // pixels.shape[1]
        return pixels.repeat(factor, axis=0).repeat(factor, axis=1)

    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
