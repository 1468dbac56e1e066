"""Photographs: repeatable, clear, and independent of what else is photographed."""

import numpy as np
import pytest
from PIL import Image

from tests.tools.tiny_library import BLUE, RED
from tools.household import photograph as photography
from tools.household.backgrounds import Scenery, Texture
from tools.household.camera import CAMERAS, Difficulty, cameras
from tools.household.licences import ZERO, Credit
from tools.household.photograph import CANVAS, PIXELS, Photograph, Studio, photograph

BOX = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
UNHIDDEN = Difficulty(occlusion_probability=0)
HIDDEN = Difficulty(occlusion_probability=1)


class Cutout:
    """In place of a renderer: always the same rectangle of one colour, whatever the shot."""

    def __init__(self, *, side: int = 64, colour: tuple[float, float, float] = RED) -> None:
        self.drawn = np.zeros((CANVAS, CANVAS, 4), dtype=np.float32)
        low = (CANVAS - side) // 2
        self.drawn[low : low + side, low : low + side] = (*colour, 1.0)

    def draw(self, drawables, shot, *, in_clay=False):
        return self.drawn


@pytest.fixture(scope="module")
def scenery():
    greys = [Image.new("RGB", (64, 64), (grey,) * 3) for grey in range(100, 160, 4)]
    return Scenery(tuple(Texture("Shop", "a.jpg", Credit("Ada", ZERO), grey) for grey in greys))


@pytest.fixture
def taken(scenery):
    def photographed(renderer, key="Shop/a.obj", place=(0, 0), difficulty=UNHIDDEN, drawables=()):
        studio = Studio(renderer, cameras(difficulty), difficulty)
        return photograph(studio, drawables, scenery, key, place)

    return photographed


@pytest.mark.parametrize("difficulty", [UNHIDDEN, HIDDEN], ids=["unhidden", "hidden"])
@pytest.mark.parametrize("camera", range(CAMERAS))
def test_a_photograph_is_small_clear_and_repeatable(taken, camera, difficulty):
    first, second = (taken(Cutout(), place=(camera, 1), difficulty=difficulty) for _ in range(2))
    assert first.pixels.shape == (PIXELS, PIXELS, 3)
    assert first.pixels.dtype == np.uint8
    assert first.is_clear
    np.testing.assert_array_equal(first.pixels, second.pixels)


@pytest.mark.parametrize(
    ("key", "place"), [("Shop/b.obj", (0, 0)), ("Shop/a.obj", (1, 0)), ("Shop/a.obj", (0, 1))]
)
def test_object_camera_and_view_have_their_own_chance(taken, key, place):
    usual, other = taken(Cutout()), taken(Cutout(), key, place)
    assert (usual.pixels != other.pixels).any()


def test_coverage_is_the_share_of_the_image(taken):
    assert taken(Cutout(side=64)).coverage == pytest.approx((64 / CANVAS) ** 2)


def test_the_object_is_where_it_was_drawn(taken):
    shown = taken(Cutout(side=64)).pixels.astype(float)
    inside, outside = shown[20:44, 20:44].mean(axis=(0, 1)), shown[:12].mean(axis=(0, 1))
    assert inside[0] - inside[2] > 100
    assert abs(outside[0] - outside[2]) < 30


def test_an_object_that_is_too_small_is_never_photographed(taken):
    least = int(photography.LEAST_COVERAGE**0.5 * CANVAS)
    assert taken(Cutout(side=least - 2)) is None
    assert taken(Cutout(side=least + 2)) is not None


def test_an_object_that_is_not_there_is_never_photographed(taken):
    assert taken(Cutout(side=0)) is None


def test_an_object_like_its_background_is_not_photographed(taken):
    empty = Cutout()
    empty.drawn *= 0
    empty.drawn[32:96, 32:96, 3] = 0.06
    assert taken(empty) is None


@pytest.mark.parametrize(
    ("coverage", "contrast", "is_clear"), [(0.1, 0.2, True), (0.1, 0.1, False), (0.05, 0.2, False)]
)
def test_clear_means_large_enough_and_standing_out(coverage, contrast, is_clear):
    pixels = np.zeros((PIXELS, PIXELS, 3), dtype=np.uint8)
    assert Photograph(pixels, coverage, contrast).is_clear == is_clear


def test_an_occluder_hides_at_most_its_share_of_the_object(taken):
    whole = (64 / CANVAS) ** 2
    shares = [taken(Cutout(), place=(0, view), difficulty=HIDDEN).coverage / whole for view in range(60)]
    assert min(shares) >= 1 - photography.MOST_HIDDEN - 1e-6
    assert min(shares) < 1


def test_only_an_unclear_attempt_is_followed_by_another(taken, monkeypatch):
    """The first attempt decides alone, so that more attempts change no clear photograph."""
    usual = taken(Cutout())
    monkeypatch.setattr(photography, "ATTEMPTS", 1)
    np.testing.assert_array_equal(taken(Cutout()).pixels, usual.pixels)


def test_a_drawn_box_is_photographed_alike_twice_and_in_its_colour(renderer, box_parts, taken):
    shown = []
    for colour in (RED, RED, BLUE):
        with renderer.loaded(box_parts(BOX, colour)) as drawables:
            shown.append(taken(renderer, drawables=drawables).pixels.astype(float))
    np.testing.assert_array_equal(shown[0], shown[1])
    centre = [image[24:40, 24:40].mean(axis=(0, 1)) for image in shown]
    assert centre[0].argmax() == 0
    assert centre[2].argmax() == 2
