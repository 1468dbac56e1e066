"""A renderer, where this machine can draw, and boxes for it."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.tools.tiny_library import RED, Point, obj
from tools.household.duplicates import Appearance, appearance
from tools.household.mesh import Material, parse_surface
from tools.household.photograph import CANVAS
from tools.household.renderer import Renderer, RendererMissingError
from tools.household.shape import Part

BoxParts = Callable[..., list[Part]]


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    try:
        return Renderer(CANVAS)
    except RendererMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def box_parts() -> BoxParts:
    """The one part of a box of these corners, in the unit sphere."""

    def parts(box: tuple[Point, Point], colour: Point = RED, opacity: float = 1.0) -> list[Part]:
        surface = parse_surface(obj(box))
        centred = surface.positions - surface.positions.mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1).max()
        (corners,) = surface.faces.values()
        rows = np.zeros((len(corners), 8), dtype=np.float32)
        rows[:, :3] = centred[corners[:, 0]]
        return [Part(Material(colour=colour, opacity=opacity), rows, None)]

    return parts


@pytest.fixture
def drawn_parts(renderer: Renderer, box_parts: BoxParts) -> Callable[..., Appearance]:
    """How a box looks."""

    def seen(box: tuple[Point, Point], colour: Point) -> Appearance:
        with renderer.loaded(box_parts(box, colour)) as drawables:
            return appearance(renderer, drawables)

    return seen
