"""The attribution names every object, author, licence, picture and omission."""

import re

import pytest
from PIL import Image

from tests.tools.tiny_library import ATTRIBUTION, entry, library
from tools.household.attribution import HEAD, Contents, Dropped, attribution
from tools.household.backgrounds import Texture
from tools.household.catalog import Model, models
from tools.household.licences import ATTRIBUTION_4, Credit
from tools.household.split import Split

OWN_TEXT = (
    'Thank you for downloading "Sofa | [old]" by Grace | Hopper\nReleased under\nCreative Commons Zero\n'
    "http://www.blendswap.com/blends/view/7\n"
)
UNTITLED = "Released under\nCreative Commons Attribution 4.0\nhttp://www.blendswap.com/blends/view/8\n"


@pytest.fixture
def contents(tmp_path):
    entries = [entry("chair", creator="Ada"), entry("sofa"), entry("lamp", creator="Kurt")]
    files = {"shop/sofa/LICENSE.txt": OWN_TEXT, "shop/lamp/LICENSE.txt": UNTITLED}
    found = [
        one for _, one in models(library(tmp_path, entries, files, ATTRIBUTION)) if isinstance(one, Model)
    ]
    wood = Texture("Shop", "shop/chair/wood.jpg", Credit("Emmy", ATTRIBUTION_4), Image.new("RGB", (8, 8)))
    return Contents(
        found,
        [Split.TEST, Split.TRAINING, Split.TEST],
        18,
        [Dropped("Shop/a.obj", "thin"), Dropped("Shop/b.obj", "thin"), Dropped("Shop/c.obj", "copy")],
        [[wood], [], []],
    )


@pytest.fixture
def page(contents):
    return attribution(contents)


def cells(page, first):
    """The cells of the table row that starts with this cell."""
    (row,) = re.findall(rf"^\| {first} \| (.*) \|$", page, flags=re.M)
    return row.split(" | ")


def test_the_page_says_where_the_models_are_from_and_what_was_changed(page):
    assert page.startswith(HEAD)
    assert "sweethome3d-furniture" in HEAD
    assert "**Changes made.**" in HEAD


def test_every_object_has_a_row_with_author_and_licence(page):
    licence = "[CC-BY-3.0](https://creativecommons.org/licenses/by/3.0/)"
    assert cells(page, 0) == ["test", "Chair", "`Shop/shop/chair/chair.obj`", "Ada", "", licence, "library"]


def test_what_a_models_own_text_says_is_named_and_does_not_break_the_table(page):
    found = cells(page, 1)
    assert found[0] == "training"
    assert found[3:5] == ["Grace / Hopper", "[Sofa / (old)](https://www.blendswap.com/blend/7)"]
    assert found[5].startswith("[CC0-1.0]")
    assert found[6] == "own"


def test_an_original_work_without_a_title_is_still_linked(page):
    assert cells(page, 2)[3:5] == ["Kurt", "[original](https://www.blendswap.com/blend/8)"]


def test_every_licence_is_counted_and_linked(page):
    assert cells(page, "CC-BY-3.0") == ["1", "https://creativecommons.org/licenses/by/3.0/"]
    assert cells(page, "CC-BY-4.0") == ["1", "https://creativecommons.org/licenses/by/4.0/"]
    assert cells(page, "CC0-1.0") == ["1", "https://creativecommons.org/publicdomain/zero/1.0/"]


def test_splits_are_counted_with_their_images(page):
    assert cells(page, "test")[:2] == ["2", "36"]
    assert cells(page, "training")[:2] == ["1", "18"]
    assert cells(page, "validation")[:2] == ["0", "0"]


def test_omissions_are_counted_and_listed(page):
    assert "- 2: thin" in page
    assert "- 1: copy" in page
    for key in ("a", "b", "c"):
        assert f"- `Shop/{key}.obj`: " in page


def test_every_picture_is_credited_under_its_use(page):
    pretraining, others = page.split("**pretraining**")[1].split("**training and validation**")
    assert "- `Shop/shop/chair/wood.jpg`: Emmy, [CC-BY-4.0]" in pretraining
    assert "wood.jpg" not in others
