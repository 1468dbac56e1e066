"""Catalogues, licences and surfaces of the models that the embedded data set is rendered from."""

from pathlib import Path

import numpy as np
import pytest

from tests.tools.library import CUBE, LICENCE, colour, entry, write_library
from tools.household.catalog import (
    Model,
    ModelsMissingError,
    archives,
    catalogue_entries,
    models,
    stable_number,
)
from tools.household.licences import Statement, credit, harvest, licence_named
from tools.household.mesh import NONE, parse_materials, parse_surface
from tools.household.shape import UnusableModelError, load_parts

BOX = {"box/box.obj": CUBE, "box/box.mtl": colour(1, 0, 0)}


def found(
    folder: Path, files: dict[str, str | bytes], catalogue: str, licence: str = LICENCE
) -> list[Model | ValueError]:
    write_library(folder / "Some.sh3f", files, catalogue, licence)
    (archive,) = archives(folder)
    return [model for _, model in models(archive)]


def one(folder: Path, files: dict[str, str | bytes], catalogue: str = entry(1, "box")) -> Model:
    (model,) = found(folder, files, catalogue)
    assert isinstance(model, Model)
    return model


def test_a_catalogue_is_read_in_the_order_of_its_numbers() -> None:
    text = "name#2=second\nname#1=f\\u00efrst\nid=ignored\nwidth#1=3\n"
    assert catalogue_entries(text) == [{"name": "fïrst", "width": "3"}, {"name": "second"}]


def test_a_model_has_its_size_author_and_licence(tmp_path: Path) -> None:
    model = one(tmp_path, {**BOX}, entry(1, "box", (10, 20, 30)))
    assert (model.size, model.name, model.key) == ((10.0, 20.0, 30.0), "Box", "Some/box/box.obj")
    assert (model.credit.author, model.credit.licence.identifier) == ("Ada", "CC-BY-3.0")
    assert not model.credit.is_own_text


def test_a_models_own_licence_text_wins(tmp_path: Path) -> None:
    own = 'Thank you for downloading "A Box" by Eve\nReleased under Creative Commons Zero\n'
    model = one(tmp_path, {**BOX, "box/licence.txt": own})
    assert (model.credit.author, model.credit.title) == ("Eve", "A Box")
    assert (model.credit.licence.identifier, model.credit.is_own_text) == ("CC0-1.0", True)


@pytest.mark.parametrize("wording", ["GNU General Public License", "creativecommons.org/licenses/by-nc/3.0/"])
def test_a_licence_that_is_not_known_leaves_the_model_out(tmp_path: Path, wording: str) -> None:
    (model,) = found(tmp_path, {**BOX}, entry(1, "box"), wording)
    assert isinstance(model, ValueError)
    assert "licence" in str(model)


def test_credit_needs_a_name_where_the_licence_asks_for_one(tmp_path: Path) -> None:
    (model,) = found(tmp_path, {**BOX}, entry(1, "box", creator="Blend Swap"))
    assert isinstance(model, ValueError)
    assert "author" in str(model)
    zero = licence_named("Creative Commons Zero")
    assert credit("Some", "", [], zero).author == "not named"


@pytest.mark.parametrize(
    ("wording", "identifier"),
    [
        ("under Creative Commons Attribution 3.0", "CC-BY-3.0"),
        ("creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0-US"),
        ("Creative Commons Attribution 4.0", "CC-BY-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("Creative Commons Attribution-ShareAlike 3.0", None),
        ("Creative Commons Attribution-NonCommercial 3.0", None),
        ("all rights reserved", None),
    ],
)
def test_licences_are_recognised_and_their_stricter_variants_are_not(
    wording: str, identifier: str | None
) -> None:
    licence = licence_named(wording)
    assert (licence.identifier if licence else None) == identifier


def test_the_address_of_the_original_work_is_kept() -> None:
    text = 'downloading "Chair" by Bob\nhttp://www.blendswap.com/blends/view/123\nReleased under CC'
    assert harvest(text) == Statement(None, "Bob", "Chair", "https://www.blendswap.com/blend/123")


def test_a_cube_has_twelve_triangles() -> None:
    surface = parse_surface(CUBE)
    assert {name: len(corners) for name, corners in surface.faces.items()} == {"paint": 36}
    assert surface.positions.shape == (8, 3)
    assert surface.materials == "box.mtl"
    assert (surface.faces["paint"][:, 1:] == NONE).all()


def test_negative_indices_count_back_and_polygons_become_fans() -> None:
    surface = parse_surface("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf -4 -3 -2 -1\n")
    assert surface.faces[""][:, 0].tolist() == [0, 1, 2, 0, 2, 3]


def test_corners_name_position_coordinate_and_normal() -> None:
    surface = parse_surface("v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 1\nvn 0 0 1\nf 1/1/1 2//1 3/1\n")
    assert surface.faces[""].tolist() == [[0, 0, 0], [1, NONE, 0], [2, 0, NONE]]


def test_a_surface_without_faces_is_refused() -> None:
    with pytest.raises(ValueError, match="no face"):
        parse_surface("v 0 0 0\n")


def test_materials_have_colour_opacity_and_picture() -> None:
    text = "newmtl a b\nKd 1 .5 0\nKs .3 .3 .3\nd .4\nmap_Kd pictures\\wood.jpg\n# end\nnewmtl c\nTr .25\n"
    found = parse_materials(text)
    assert found["a b"].colour == (1.0, 0.5, 0.0)
    assert (found["a b"].opacity, found["a b"].picture) == (0.4, "pictures/wood.jpg")
    assert found["a b"].shine == pytest.approx(0.3)
    assert found["c"].opacity == 0.75


def test_parts_fill_the_unit_sphere_in_the_catalogues_proportions(tmp_path: Path) -> None:
    (part,) = load_parts(one(tmp_path, {**BOX}, entry(1, "box", (10, 20, 20))))
    positions = part.corners[:, :3]
    assert np.linalg.norm(positions, axis=1).max() == pytest.approx(1)
    np.testing.assert_allclose(np.ptp(positions, axis=0), np.array([2, 4, 4]) / 6 * 2, rtol=1e-5)
    np.testing.assert_allclose(positions.max(axis=0), -positions.min(axis=0), atol=1e-6)
    assert part.material.colour == (1.0, 0.0, 0.0)


def test_an_unreadable_model_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match="no face"):
        load_parts(one(tmp_path, {"box/box.obj": "v 0 0 0\n"}))


def test_a_missing_library_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(ModelsMissingError, match="apt-get download sweethome3d-furniture"):
        archives(tmp_path)


def test_a_stable_number_depends_on_the_text_alone() -> None:
    # The first eight bytes of SHA-256 of "household", as sha256sum prints them, without the last bit.
    assert stable_number("household") == int("bbcd628c07a0e35a", 16) >> 1
    assert stable_number("a") != stable_number("b")
