"""Copies that lack something, or have files that do not belong: what a reader says of them."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from cdd.data.registry import listed
from cdd.errors import DataError, DataMissingError
from cdd.recipe import Data
from tests.data.real_trees import (
    EACH,
    LAYOUTS,
    in_shop_official,
    jpeg,
    msmt_flat,
    msmt_official,
    shots,
    veri_flat,
    veri_official,
)

LACKING = [
    (veri_official, "veri776", "image_query", "image_train, image_test but not image_query"),
    (veri_flat, "veri776", "gallery", "train, query but not gallery"),
    (msmt_official, "msmt17", "test", r"but not test"),
    (msmt_flat, "msmt17", "query", "train, gallery but not query"),
    (in_shop_official, "in-shop", "Eval", r"Img/img but not Eval/list_eval_partition\.txt"),
]


@pytest.mark.parametrize(("write", "name", "part", "said"), LACKING)
def test_what_an_incomplete_copy_lacks_is_named_with_its_folder(write, name, part, said, tmp_path):
    folder = write(tmp_path)
    shutil.rmtree(folder / part)
    with pytest.raises(DataError, match=rf"{folder} is not complete.*{said}.*https://") as caught:
        listed(Data(name=name), tmp_path)
    assert not isinstance(caught.value, DataMissingError)


@pytest.mark.parametrize("name", LAYOUTS)
def test_another_data_sets_training_folder_is_no_incomplete_copy(name, tmp_path):
    jpeg(tmp_path / "train" / "n01440764" / "n01440764_18.jpg", next(shots()))
    with pytest.raises(DataMissingError, match="it holds train"):
        listed(Data(name=name), tmp_path)


@pytest.mark.parametrize(
    ("name", "folder"), [("veri776", "VeRi"), ("msmt17", "MSMT17"), ("in-shop", "InShop")]
)
def test_a_folder_of_the_right_name_that_holds_something_else_is_looked_into(name, folder, tmp_path):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "archive.zip").write_text("x")
    with pytest.raises(DataMissingError, match=rf"{folder}: it holds archive\.zip"):
        listed(Data(name=name), tmp_path)


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_hidden_files_are_ignored(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    before = listed(Data(name=name), tmp_path)
    for path in sorted(folder.rglob("*.jpg"))[::7]:
        path.with_name(f"._{path.name}").write_text("what another system keeps beside a file")
    assert listed(Data(name=name), tmp_path) == before


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_the_order_of_files_on_disk_does_not_matter(name, layout, tmp_path, monkeypatch):
    LAYOUTS[name][layout](tmp_path)
    before = listed(Data(name=name), tmp_path)
    scan = os.scandir
    monkeypatch.setattr("cdd.data.image_list.os.scandir", lambda top: nullcontext(list(scan(top))[::-1]))
    assert listed(Data(name=name), tmp_path) == before


def list_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.txt"))


FOLLOWED = [(name, layout) for name, layout in EACH if layout not in ("flat", "official")]


@pytest.mark.parametrize(("name", "layout"), FOLLOWED)
def test_lists_from_other_systems_are_read(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    before = listed(Data(name=name), tmp_path)
    for path in list_files(folder):
        lines = path.read_text().splitlines()
        path.write_bytes(("\ufeff" + "\r\n".join([*lines, "", " ", ""])).encode())
    assert listed(Data(name=name), tmp_path) == before


@pytest.mark.parametrize(("name", "layout"), FOLLOWED)
@pytest.mark.parametrize("content", [b"\xff\xfe\x00 binary \x9c", b""])
def test_a_list_that_is_no_text_or_empty_is_one_message(name, layout, content, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path)
    for path in list_files(folder):
        path.write_bytes(content)
    with pytest.raises(DataError):
        listed(Data(name=name), tmp_path)


@pytest.mark.parametrize(("write", "name"), [(veri_flat, "veri776"), (msmt_flat, "msmt17")])
def test_a_split_of_distractors_alone_is_no_split(write, name, tmp_path):
    folder = write(tmp_path)
    for number, path in enumerate((folder / "train").iterdir()):
        path.rename(path.with_name(f"-1_c001_{number}.jpg"))
    with pytest.raises(DataError, match="no image for training"):
        listed(Data(name=name), tmp_path)
