"""Reading the catalogues of the libraries."""

import subprocess
import sys

from tests.tools.tiny_library import ATTRIBUTION, UNKNOWN, entry, library
from tools.household.catalog import (
    IDENTITY_ROTATION,
    Model,
    archives,
    catalogue_entries,
    models,
    stable_number,
)

OWN_TEXT = 'Thank you for downloading "Seat" by Grace \nReleased under\nCreative Commons Zero\n'


def test_escaped_letters_are_restored():
    assert catalogue_entries(r"name#1=Caf\u00e9 = bar") == [{"name": "Café = bar"}]


def test_a_model_has_the_values_of_its_entry(tmp_path):
    shop = library(tmp_path, [entry("chair", width="40", height="90.5", depth="50")], {}, ATTRIBUTION)
    ((key, model),) = models(shop)
    assert isinstance(model, Model)
    assert key == model.key == "Shop/shop/chair/chair.obj"
    assert (model.name, model.category, model.folder) == ("Chair", "Tests", "shop/chair")
    assert model.size == (40.0, 90.5, 50.0)
    assert model.rotation == IDENTITY_ROTATION
    assert (model.credit.author, model.credit.licence.identifier) == ("Ada", "CC-BY-3.0")


def test_a_rotation_is_read_row_by_row(tmp_path):
    shop = library(tmp_path, [entry("chair", modelRotation="1 0 0 0 0 1 0 -1 0")], {}, ATTRIBUTION)
    ((_, model),) = models(shop)
    assert isinstance(model, Model)
    assert model.rotation == (1, 0, 0, 0, 0, 1, 0, -1, 0)


def test_models_of_an_unknown_licence_come_with_the_reason(tmp_path):
    shop = library(tmp_path, [entry("chair"), entry("table")], {"shop/table/LICENSE.txt": OWN_TEXT}, UNKNOWN)
    (chair, reason), (table, model) = models(shop)
    assert (chair, str(reason)) == ("Shop/shop/chair/chair.obj", "licence not established")
    assert table == "Shop/shop/table/table.obj"
    assert isinstance(model, Model)


def test_members_are_found_whatever_the_case_of_their_names(tmp_path):
    shop = library(tmp_path, [], {"shop/Wood.JPG": b"\xe9"}, ATTRIBUTION)
    assert "SHOP/wood.jpg" in shop
    assert shop.text("shop/WOOD.jpg") == "é"
    assert shop.size("shop/wood.jpg") == 1
    assert "shop/oak.jpg" not in shop


def test_libraries_come_by_name_from_any_depth(tmp_path):
    library(tmp_path / "a", [], {}, name="Second")
    library(tmp_path / "b" / "c", [], {}, name="First")
    assert [one.library for one in archives(tmp_path)] == ["First", "Second"]


def test_stable_numbers_are_the_same_in_another_process():
    code = "from tools.household.catalog import stable_number; print(stable_number('Shop/chair'))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(printed.stdout) == stable_number("Shop/chair")
    assert 0 <= stable_number("Shop/chair") < 2**63
    assert stable_number("Shop/chair") != stable_number("Shop/table")
    # The first eight bytes of SHA-256 of "household", as sha256sum prints them, without the last bit.
    assert stable_number("household") == int("bbcd628c07a0e35a", 16) >> 1


def test_entries_come_in_the_order_of_their_numbers():
    text = "name#2=second\nname#1=f\\u00efrst\nid=ignored\nwidth#1=3\n"
    assert catalogue_entries(text) == [{"name": "fïrst", "width": "3"}, {"name": "second"}]
