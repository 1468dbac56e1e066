"""Models as the renderer gets them: in the unit sphere, upright, of few triangles."""

import numpy as np
import pytest

from tests.tools import tiny_library as tiny
from tools.household import shape
from tools.household.catalog import Model, models
from tools.household.mesh import Material
from tools.household.shape import DEFAULT_MATERIAL, UnusableModelError, load_parts

UNIT_CUBE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def loaded(tmp_path):
    """Reads the parts of a model of this surface."""

    def parts(surface, files=None, **changes):
        content = {"shop/thing/thing.obj": surface, "shop/thing/model.mtl": tiny.mtl(), **(files or {})}
        shop = tiny.library(tmp_path, [tiny.entry("thing", **changes)], content, tiny.ATTRIBUTION)
        ((_, model),) = models(shop)
        assert isinstance(model, Model)
        return load_parts(model)

    return parts


def extent(parts):
    positions = np.concatenate([part.corners[:, :3] for part in parts])
    return positions.max(axis=0) - positions.min(axis=0), np.linalg.norm(positions, axis=1).max()


@pytest.mark.parametrize("low", [0.0, 100.0])
@pytest.mark.parametrize("side", [0.01, 30.0])
def test_position_and_units_of_the_file_do_not_matter(loaded, low, side):
    (part,) = loaded(tiny.obj(((low, low, low), (low + side, low + side, low + side))))
    (usual,) = loaded(tiny.obj(UNIT_CUBE))
    np.testing.assert_allclose(part.corners, usual.corners, atol=1e-3)


def test_the_model_gets_its_catalogue_proportions_and_touches_the_unit_sphere(loaded):
    sides, radius = extent(loaded(tiny.obj(UNIT_CUBE), width="10", height="20", depth="30"))
    np.testing.assert_allclose(sides / sides[0], [1, 2, 3], rtol=1e-5)
    assert radius == pytest.approx(1, rel=1e-5)


def test_a_rotated_model_stands_upright(loaded):
    lying = tiny.obj(((0, 0, 0), (1, 1, 4)))
    upright = loaded(lying, modelRotation="1 0 0 0 0 1 0 -1 0", width="10", height="40", depth="10")
    sides, _ = extent(upright)
    np.testing.assert_allclose(sides / sides[0], [1, 4, 1], rtol=1e-5)


def test_a_flat_sheet_stays_flat(loaded):
    sides, _ = extent(loaded("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", width="10", height="10", depth="5"))
    assert sides[2] == 0


def test_normals_stay_at_right_angles_when_the_model_is_stretched(loaded):
    surface = "v 0 0 0\nv 1 1 0\nv 1 1 1\nvn -1 1 0\nf 1//1 2//1 3//1\n"
    (part,) = loaded(surface, width="10", height="30", depth="10")
    edges = part.corners[1:, :3] - part.corners[0, :3]
    np.testing.assert_allclose(edges @ part.corners[0, 3:6], 0, atol=1e-6)


def test_corners_carry_position_normal_and_picture_coordinates(loaded):
    surface = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0.25 0.75\nvn 0 0 1\nf 1/1/1 2/1/1 3/1\n"
    (part,) = loaded(surface)
    assert part.corners.dtype == np.float32
    assert part.corners.shape == (3, 8)
    assert (part.corners[:, 6:] == (0.25, 0.75)).all()
    assert (part.corners[:2, 5] > 0).all()
    assert (part.corners[2, 3:6] == 0).all()


def test_each_material_is_a_part_with_its_look(loaded):
    surface = (
        "mtllib model.mtl\n" + "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nusemtl paint\nf 1 2 3\nusemtl x\nf 1 2 4"
    )
    painted, other = loaded(surface)
    assert painted.material == Material(colour=tiny.RED)
    assert other.material == DEFAULT_MATERIAL


def test_a_picture_is_read_only_for_surfaces_that_say_how_it_lies(loaded):
    files = {
        "shop/thing/model.mtl": "newmtl paint\nmap_Kd Oak.jpg\n",
        "shop/thing/oak.jpg": tiny.picture(seed=1, pixels=512),
    }
    bare = "mtllib model.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl paint\n"
    (laid,) = loaded(bare + "f 1/1 2/1 3/1\n", files)
    (not_laid,) = loaded(bare + "f 1 2 3\n", files)
    assert laid.picture.size == (shape.PICTURE_PIXELS, shape.PICTURE_PIXELS)
    assert laid.picture.mode == "RGBA"
    assert not_laid.picture is None


def test_a_picture_that_is_not_in_the_library_is_left_out(loaded):
    surface = "mtllib model.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl paint\nf 1/1 2/1 3/1\n"
    (part,) = loaded(surface, {"shop/thing/model.mtl": "newmtl paint\nmap_Kd lost.jpg\n"})
    assert part.picture is None


def test_twice_the_same_triangles_are_drawn_once_and_dots_not_at_all(loaded, monkeypatch):
    monkeypatch.setattr(shape, "FEW_TRIANGLES", 0)
    dot = ((0.5, 0.5, 0.5), (0.5001, 0.5001, 0.5001))
    (simplified,) = loaded(tiny.obj(UNIT_CUBE, dot, UNIT_CUBE))
    assert len(simplified.corners) == 12 * 3


def test_simplification_moves_no_corner_further_than_half_a_cell(loaded, monkeypatch):
    surface = tiny.obj(((0.1, 0.2, 0.3), (0.77, 0.93, 0.61)), UNIT_CUBE)
    (exact,) = loaded(surface)
    monkeypatch.setattr(shape, "FEW_TRIANGLES", 0)
    (simplified,) = loaded(surface)
    moved = np.abs(exact.corners[:, :3] - simplified.corners[:, :3]).max()
    assert 0 < moved <= 0.5 / shape.FINE_CELLS + 1e-6


def test_a_model_of_few_triangles_is_not_simplified(loaded):
    (part,) = loaded(tiny.obj(UNIT_CUBE, UNIT_CUBE))
    assert len(part.corners) == 2 * 12 * 3


@pytest.mark.parametrize("limit", ["LARGEST_FILE_BYTES", "MOST_TRIANGLES"])
def test_a_model_that_is_too_large_is_unusable(loaded, monkeypatch, limit):
    monkeypatch.setattr(shape, limit, 11)
    with pytest.raises(UnusableModelError, match=r"larger than|more than 11 triangles"):
        loaded(tiny.obj(UNIT_CUBE))


@pytest.mark.parametrize(
    ("surface", "materials"),
    [("v 0 0 0\n", ""), ("f 1 2 3\n", ""), (tiny.obj(UNIT_CUBE), "newmtl a\nKd 1\n")],
)
def test_a_model_that_cannot_be_read_is_unusable(loaded, surface, materials):
    with pytest.raises(UnusableModelError, match="not readable"):
        loaded(surface, {"shop/thing/model.mtl": materials})
