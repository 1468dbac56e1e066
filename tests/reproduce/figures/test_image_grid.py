"""The grid of pictures: every pixel, every frame, and the same bytes again."""

import io
import re

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.colors import to_rgb
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image

from reproduce.figures.image_grid import LOOKS, Frame, Tile, draw_grid
from reproduce.figures.style import PIXELS_PER_INCH, SETTINGS, WIDTH
from reproduce.gallery.rows import SIGNS

NOISE = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


def grid(columns: int = 11, rows: int = 2, frame: Frame | None = "right") -> list[list[Tile]]:
    """Rows of noise: a query without a frame, then framed pictures."""
    pictures = iter(NOISE)
    return [
        [Tile(next(pictures), frame if column else None, "\u2713 camera 5") for column in range(columns)]
        for _ in range(rows)
    ]


def page(drawn: dict[str, bytes]) -> NDArray[np.uint8]:
    """The pixels of the png."""
    return np.asarray(Image.open(io.BytesIO(drawn[".png"])).convert("RGB"))


def holds(found: NDArray[np.uint8], picture: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Left and top of every place where the picture stands, pixel for pixel."""
    height, width, _ = picture.shape
    corners = np.argwhere((found == picture[0, 0]).all(axis=2))
    return [
        (int(left), int(top))
        for top, left in corners
        if np.array_equal(found[top : top + height, left : left + width], picture)
    ]


def test_every_picture_stands_in_the_png_pixel_for_pixel_in_equal_steps() -> None:
    drawn = page(draw_grid(grid(), ["query", *map(str, range(1, 11))]))
    assert drawn.shape[1] <= WIDTH * PIXELS_PER_INCH
    places = []
    for picture in NOISE[:22]:
        (place,) = holds(drawn, picture.repeat(4, axis=0).repeat(4, axis=1))
        places.append(place)
    lefts = sorted({left for left, _ in places})
    steps = np.diff(lefts)
    assert len(set(steps[1:].tolist())) == 1
    assert steps[0] > steps[1], "a gap behind the query"
    assert len({top for _, top in places}) == 2


@pytest.mark.parametrize("frame", ["right", "wrong", "own"])
def test_a_frame_has_its_colour_and_dash(frame: Frame) -> None:
    drawn = page(draw_grid(grid(2, 1, frame)))
    colour, dash = LOOKS[frame]
    wanted = (np.array(to_rgb(colour)) * 255).round().astype(np.uint8)
    found = (np.abs(drawn.astype(int) - wanted).max(axis=2) <= 2).sum()
    around = 2 * (2 * 224 + 12) * 6 if dash == "-" else 2 * (2 * 224 + 12) * 6 * 2 / 3
    assert found == pytest.approx(around, rel=0.25)
    assert not (np.abs(page(draw_grid(grid(2, 1, None))).astype(int) - wanted).max(axis=2) <= 2).any()


def test_right_and_wrong_are_apart_without_colour() -> None:
    assert LOOKS["right"][1] != LOOKS["wrong"][1]
    assert len({look for look in map(str, LOOKS.values())}) == len(LOOKS)
    font = FT2Font(font_manager.findfont(SETTINGS["font.family"]))
    assert all(ord(sign) in font.get_charmap() for sign in SIGNS.values())


def test_files_are_the_same_bytes_when_drawn_twice_with_text_in_an_embedded_font() -> None:
    first, second = draw_grid(grid()), draw_grid(grid())
    assert first == second
    assert list(first) == [".pdf", ".png", ".svg"]
    assert b"/FontFile2" in first[".pdf"]
    assert not re.search(rb"/Subtype /Type3", first[".pdf"])
    assert first[".pdf"].count(b"/Subtype /Image") == 22


def test_a_larger_picture_is_reduced_to_its_place_and_keeps_its_shape() -> None:
    flat = np.full((512, 256, 3), (10, 200, 30), dtype=np.uint8)
    drawn = page(draw_grid([[Tile(flat)] * 11]))
    inside = (drawn == (10, 200, 30)).all(axis=2)
    width = inside[inside.any(axis=1)][0].sum() / 11
    height = inside.any(axis=1).sum()
    assert 100 < width < WIDTH * PIXELS_PER_INCH / 11
    assert height == pytest.approx(2 * width, abs=1)


def test_rows_may_have_different_lengths_and_few_columns_do_not_fill_the_page() -> None:
    short, long = grid(2, 1)[0], grid(3, 1)[0]
    drawn = page(draw_grid([short, long]))
    assert drawn.shape[1] < WIDTH * PIXELS_PER_INCH / 2
    single = page(draw_grid([[Tile(NOISE[0])]]))
    assert single.shape[1] <= PIXELS_PER_INCH


def test_many_columns_widen_the_page_so_that_texts_do_not_run_into_each_other() -> None:
    def ink(columns: int) -> int:
        blank = np.full((8, 8, 3), 255, dtype=np.uint8)
        found = page(draw_grid([[Tile(blank, text="\u00d7 camera 12")] * columns]))
        return int((found < 128).all(axis=2).sum())

    assert ink(21) == pytest.approx(21 * ink(1), rel=0.02)
    assert page(draw_grid(grid(12, 1))).shape[1] <= WIDTH * PIXELS_PER_INCH


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no picture to draw"),
        ([[]], "no picture to draw"),
        ([[Tile(NOISE[0]), Tile(NOISE[0][:16])]], r"\(16, 32, 3\), \(32, 32, 3\) of uint8"),
        ([[Tile(NOISE[0] / 255)]], "float64: give all as height x width x 3 of uint8"),
        ([[Tile(NOISE[0][..., :1])]], r"\(32, 32, 1\)"),
        ([[Tile(NOISE[0][..., 0])]], r"\(32, 32\)"),
    ],
)
def test_what_is_no_grid_of_pictures_is_refused(rows: list[list[Tile]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_grid(rows)
