"""Reading OBJ and MTL files."""

import numpy as np
import pytest

from tests.tools.tiny_library import obj
from tools.household.mesh import NONE, Material, parse_materials, parse_surface

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def triangle_corners(surface):
    """(triangle, corner, axis) of all triangles."""
    corners = np.concatenate(list(surface.faces.values()))
    return surface.positions[corners[:, 0]].reshape(-1, 3, 3).astype(np.float64)


def test_a_cube_has_twelve_triangles_area_six_and_volume_one():
    surface = parse_surface(obj(((0, 0, 0), (1, 1, 1))))
    assert surface.positions.shape == (8, 3)
    first, second, third = np.moveaxis(triangle_corners(surface), 1, 0)
    assert len(first) == 12
    assert np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2 == pytest.approx(6)
    # The divergence theorem: only outward faces of a closed surface sum to the volume.
    assert abs(np.einsum("ij,ij->", first, np.cross(second, third))) / 6 == pytest.approx(1)


def test_negative_indices_count_back_from_the_last_row_read_so_far():
    counted = parse_surface(SQUARE + "f -4 -3 -2\nv 9 9 9\nf -2 -3 -1\n")
    absolute = parse_surface(SQUARE + "v 9 9 9\nf 1 2 3\nf 4 3 5\n")
    np.testing.assert_array_equal(triangle_corners(counted), triangle_corners(absolute))


@pytest.mark.parametrize(
    ("corner", "expected"),
    [("1", [0, NONE, NONE]), ("1/2", [0, 1, NONE]), ("1//2", [0, NONE, 1]), ("1/2/1", [0, 1, 0])],
)
def test_each_form_of_corner_is_read(corner, expected):
    rows = SQUARE + "vt 0 0\nvt 1 1 0\nvn 0 0 1\nvn 0 1 0\n"
    (corners,) = parse_surface(rows + f"f {corner} 2 3\n").faces.values()
    assert corners[0].tolist() == expected


def test_faces_are_kept_by_material_also_when_it_comes_again():
    lines = (
        "mtllib my model.mtl\nusemtl red paint\nf 1 2 3\nusemtl blue\nf 1 3 4\nusemtl red paint\nf 2 3 4\n"
    )
    surface = parse_surface(SQUARE + lines)
    assert {name: len(corners) for name, corners in surface.faces.items()} == {"red paint": 6, "blue": 3}
    assert surface.materials == "my model.mtl"


def test_tables_that_the_file_does_not_have_can_still_be_looked_up():
    surface = parse_surface(SQUARE + "f 1 2 3\n")
    assert surface.coordinates.tolist() == [[0, 0]]
    assert surface.normals.tolist() == [[0, 0, 0]]
    assert surface.materials is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "no face"),
        ("f 1 2\n", "no face"),
        ("f 1 2 x\n", "invalid literal"),
        ("v 1 2 three\nf 1 2 3\n", "could not convert"),
        ("f 1 2 5\n", "does not exist"),
        ("f 0 2 3\n", "does not exist"),
        ("f -5 2 3\n", "does not exist"),
        ("f 1/2 2/2 3/2\n", "does not exist"),
        ("f 1//-1 2//-1 3//-1\n", "does not exist"),
    ],
)
def test_a_damaged_surface_is_an_error(lines, message):
    with pytest.raises(ValueError, match=message):
        parse_surface(SQUARE + lines)


def test_materials_have_colour_shine_opacity_and_picture():
    text = (
        "# made by hand\nKd 9 9 9\n\nnewmtl red paint\nKd 1 0.5 0\nKs 0.3 0.3 0.6\nNs 10\nd 0.25\n"
        "map_Kd pictures\\oak wood.jpg\nnewmtl plain\nillum 2\n"
    )
    found = parse_materials(text)
    assert list(found) == ["red paint", "plain"]
    assert found["red paint"].colour == (1.0, 0.5, 0.0)
    assert found["red paint"].shine == pytest.approx(0.4)
    assert found["red paint"].opacity == 0.25
    assert found["red paint"].picture == "pictures/oak wood.jpg"
    assert found["plain"] == Material()


def test_transparency_is_one_minus_opacity_and_yields_to_it():
    text = "newmtl a\nTr 0.75\nnewmtl b\nd 0.5\nTr 0.9\n"
    assert [material.opacity for material in parse_materials(text).values()] == [0.25, 0.5]
