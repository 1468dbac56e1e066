"""What the renderer draws, where this machine can draw, and what it says where it cannot."""

import builtins

import numpy as np
import pytest
from PIL import Image

from tests.tools.tiny_library import RED
from tools.household.camera import direction, shot
from tools.household.mesh import Material
from tools.household.renderer import LEAST_OPACITY, Renderer, RendererMissingError
from tools.household.shape import Part

BOX = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CENTRE, CORNER = (64, 64), (2, 2)


def front(azimuth=0.0, light_azimuth=0.0, distance=3.0):
    light = ((0.6, 0.6, 0.6), (0.4, 0.4, 0.4))
    return shot((azimuth, 0.0, distance), np.zeros(3), 40.0, direction(light_azimuth, 0.0), light)


def drawn(renderer, parts, view=None, *, in_clay=False):
    with renderer.loaded(parts) as drawables:
        return renderer.draw(drawables, view or front(), in_clay=in_clay)


def sheet(material, coordinates=(0.5, 0.5), low=(-1, -1), high=(1, 1), depth=0.0, picture=None):
    """A rectangle facing the front camera."""
    (left, bottom), (right, top) = low, high
    corners = [(left, bottom), (right, bottom), (right, top), (left, bottom), (right, top), (left, top)]
    rows = [(x, y, depth, 0, 0, 1, *coordinates) for x, y in corners]
    return Part(material, np.array(rows, dtype=np.float32), picture)


def test_only_the_object_is_opaque(renderer, box_parts):
    image = drawn(renderer, box_parts(BOX))
    assert image.shape == (128, 128, 4)
    assert image.dtype == np.float32
    assert image[CENTRE][3] == 1
    assert (image[CORNER] == 0).all()
    assert image[CENTRE][0] > 3 * image[CENTRE][1]


def test_drawing_twice_gives_the_same_picture(renderer, box_parts):
    first, second = (drawn(renderer, box_parts(BOX)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_up_is_the_first_row_and_right_the_last_column(renderer):
    image = drawn(renderer, [sheet(Material(), low=(0, 0))])
    rows, columns = np.nonzero(image[..., 3])
    assert rows.max() <= 64 <= columns.min() + 1


def test_a_further_object_is_smaller(renderer, box_parts):
    near, far = (drawn(renderer, box_parts(BOX), front(distance=d))[..., 3].sum() for d in (3.0, 6.0))
    assert 0 < far < near / 3


def test_light_from_the_camera_is_brighter_than_from_the_side(renderer, box_parts):
    lit, unlit = (drawn(renderer, box_parts(BOX), front(light_azimuth=a))[CENTRE][0] for a in (0, 90))
    assert lit > unlit + 0.2


def test_the_nearer_of_two_sheets_is_seen_in_either_order(renderer):
    near, far = sheet(Material(colour=RED), depth=0.3), sheet(Material(colour=(0, 1, 0)), depth=-0.3)
    for parts in ([near, far], [far, near]):
        red, green, _, _ = drawn(renderer, parts)[CENTRE]
        assert red > green


def test_opaque_sheets_are_seen_through_glass_in_either_order(renderer):
    glass = sheet(Material(colour=(0, 0, 1), opacity=0.5), depth=0.3)
    wall = sheet(Material(colour=RED), depth=-0.3)
    for parts in ([glass, wall], [wall, glass]):
        red, _, blue, opacity = drawn(renderer, parts)[CENTRE]
        assert opacity == pytest.approx(1, abs=0.01)
        assert min(red, blue) > 0.3


def test_glass_is_seen_and_its_colour_multiplied_by_its_opacity(renderer):
    clear = drawn(renderer, [sheet(Material(colour=(1, 1, 1), opacity=0.0))])[CENTRE]
    solid = drawn(renderer, [sheet(Material(colour=(1, 1, 1)))])[CENTRE]
    assert clear[3] == pytest.approx(LEAST_OPACITY, abs=0.01)
    np.testing.assert_allclose(clear[:3], LEAST_OPACITY * solid[:3], atol=0.01)


def test_clay_shows_the_shape_without_colours_and_pictures(renderer):
    picture = Image.new("RGBA", (8, 8), (0, 255, 0, 255))
    images = [
        drawn(renderer, [sheet(Material(colour=colour), picture=one)], in_clay=True)
        for colour, one in ((RED, None), ((0, 0, 1), picture))
    ]
    np.testing.assert_array_equal(*images)
    assert images[0][CENTRE][0] == images[0][CENTRE][2]


@pytest.mark.parametrize(("height", "channel"), [(0.9, 0), (0.1, 2)])
def test_pictures_are_the_right_way_up(renderer, height, channel):
    picture = Image.new("RGBA", (8, 8), (0, 0, 255, 255))
    picture.paste((255, 0, 0, 255), (0, 0, 8, 4))
    image = drawn(renderer, [sheet(Material(), (0.5, height), picture=picture)])
    assert image[CENTRE][:3].argmax() == channel
    assert image[CENTRE][2 - channel] < 0.1


def test_holes_in_a_picture_are_holes_in_the_object(renderer):
    image = drawn(renderer, [sheet(Material(), picture=Image.new("RGBA", (8, 8), (255, 0, 0, 0)))])
    assert (image == 0).all()


def test_a_missing_library_is_reported_with_the_extra_that_has_it(monkeypatch):
    found = builtins.__import__

    def without_moderngl(name, *arguments, **options):
        if name == "moderngl":
            raise ModuleNotFoundError("No module named 'moderngl'")
        return found(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_moderngl)
    with pytest.raises(RendererMissingError, match=r"moderngl.*\[household\]"):
        Renderer(8)


def test_a_machine_without_opengl_is_told_what_to_install(monkeypatch):
    moderngl = pytest.importorskip("moderngl")

    def no_context(**_):
        raise Exception("libEGL.so.1 not loaded")

    monkeypatch.setattr(moderngl, "create_context", no_context)
    with pytest.raises(RendererMissingError, match=r"libEGL.*libgl1-mesa-dri"):
        Renderer(8)
