"""Backgrounds: only licensed pictures, no two alike, none in two sceneries."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.tools.tiny_library import ATTRIBUTION, UNKNOWN, entry, library, picture
from tools.household.backgrounds import PICTURE_PIXELS, Scenery, Texture, background, sceneries, textures
from tools.household.catalog import Model, models
from tools.household.licences import ZERO, Credit


def found_textures(folder, files, licence=ATTRIBUTION):
    shop = library(folder, [entry("chair"), entry("table")], files, licence)
    return textures([shop], [model for _, model in models(shop) if isinstance(model, Model)])


def colour_texture(number):
    return Texture(
        "Shop", f"wood{number}.jpg", Credit("Ada", ZERO), Image.new("RGB", (64, 64), (number,) * 3)
    )


def test_pictures_of_surfaces_beside_a_licensed_model_are_found(tmp_path):
    files = {"shop/chair/Oak.jpg": picture(1), "shop/TABLE/marble.jpg": picture(2)}
    found = found_textures(tmp_path, files)
    assert [texture.file for texture in found] == ["shop/TABLE/marble.jpg", "shop/chair/Oak.jpg"]
    assert all(texture.credit.author == "Ada" and texture.library == "Shop" for texture in found)


def test_pictures_without_an_established_licence_are_not(tmp_path):
    assert not found_textures(tmp_path, {"shop/chair/oak.jpg": picture(1)}, UNKNOWN)
    assert not found_textures(tmp_path, {"shop/elsewhere/oak.jpg": picture(1)})


@pytest.mark.parametrize("name", ["face.jpg", "oak.png", "woodBump.jpg", "rockWall.jpg"])
def test_pictures_of_other_things_are_not(tmp_path, name):
    assert not found_textures(tmp_path, {f"shop/chair/{name}": picture(1)})


def test_small_pictures_are_not(tmp_path):
    plain = io.BytesIO()
    Image.new("RGB", (128, 128)).save(plain, "JPEG")
    assert not found_textures(tmp_path, {"shop/chair/oak.jpg": plain.getvalue()})
    narrow = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (600, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(narrow, "JPEG", quality=95)
    assert not found_textures(tmp_path, {"shop/chair/oak.jpg": narrow.getvalue()})


def test_of_two_pictures_alike_only_the_first_is_taken_also_if_it_is_smaller(tmp_path):
    files = {"shop/chair/oak.jpg": picture(1), "shop/table/wood.jpg": picture(1, pixels=256)}
    assert [texture.file for texture in found_textures(tmp_path, files)] == ["shop/chair/oak.jpg"]


def test_large_pictures_are_made_smaller(tmp_path):
    (found,) = found_textures(tmp_path, {"shop/chair/oak.jpg": picture(1, pixels=1024)})
    assert found.picture.size == (PICTURE_PIXELS, PICTURE_PIXELS)


def test_sceneries_share_no_picture_and_together_have_all():
    available = [colour_texture(number) for number in range(20)]
    pools = sceneries(available, 3)
    files = [texture.file for pool in pools for texture in pool.textures]
    assert sorted(files) == sorted(texture.file for texture in available)
    assert {len(pool.textures) for pool in pools} == {6, 7}


def test_sceneries_do_not_depend_on_the_order_of_the_pictures():
    available = [colour_texture(number) for number in range(20)]
    assert sceneries(available, 3) == sceneries(available[::-1], 3)


def test_a_camera_has_few_pictures_and_each_part_of_the_background_its_own():
    scenery = Scenery(tuple(colour_texture(number) for number in range(60)))
    walls, floors = (
        {scenery.of_camera(2, part, np.random.default_rng(seed)).getpixel((0, 0)) for seed in range(99)}
        for part in (0, 1)
    )
    assert len(walls) == len(floors) == 5
    assert not walls & floors


def test_a_background_shows_only_its_own_scenery():
    dark, light = Scenery((colour_texture(50),)), Scenery((colour_texture(250),))
    for seed in range(10):
        shown = [background(pool, 0, 0.5, 32, np.random.default_rng(seed)) for pool in (dark, light)]
        assert shown[0].max() <= 50 / 255 + 1e-6
        assert shown[1].min() >= 0.6 * 250 / 255 - 1e-6


@pytest.mark.parametrize("softness", [0.0, 0.5, 1.0])
def test_softness_takes_the_contrast_of_the_picture_away(tmp_path, softness):
    scenery = Scenery(tuple(found_textures(tmp_path, {"shop/chair/oak.jpg": picture(1)})))
    hard, soft = (background(scenery, 0, share, 64, np.random.default_rng(3)) for share in (0.0, softness))
    # The top rows are always wall and the bottom rows always floor.
    for part in (np.s_[:22], np.s_[40:]):
        expected = (1 - softness) * hard[part].std(axis=(0, 1))
        np.testing.assert_allclose(soft[part].std(axis=(0, 1)), expected, atol=1e-5)


def test_backgrounds_are_square_from_zero_to_one_and_repeatable(tmp_path):
    scenery = Scenery(tuple(found_textures(tmp_path, {"shop/chair/oak.jpg": picture(1)})))
    first, second = (background(scenery, 1, 0.6, 64, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (64, 64, 3)
    assert first.min() >= 0
    assert first.max() <= 1
