"""Folders that are links: entered as if they were folders, once, and named where they lead nowhere."""

import os
import shutil
from pathlib import Path

import pytest

from cdd.data.image_list import images_below
from cdd.data.registry import listed
from cdd.errors import DataError, DataMissingError
from cdd.recipe import Data
from tests.data.real_trees import EACH, LAYOUTS, in_shop_official, jpeg, msmt_official, shots, veri_official

each_layout = pytest.mark.parametrize(("name", "layout"), EACH)


def moved_away(folder: Path, elsewhere: Path) -> None:
    """Leaves a link at a folder's place."""
    elsewhere.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)


@each_layout
def test_linked_folders_are_entered_at_every_depth(name, layout, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path / "data")
    before = listed(Data(name=name), tmp_path / "data")
    # The deepest first, so that links lie inside of linked folders.
    inside = sorted((p for p in folder.rglob("*") if p.is_dir()), key=lambda path: -len(path.parts))
    for number, path in enumerate([*inside[:3], *inside[-2:], folder]):
        moved_away(path, tmp_path / "elsewhere" / str(number))
    assert listed(Data(name=name), tmp_path / "data") == before


def test_a_part_may_be_divided_over_linked_folders(tmp_path):
    folder = veri_official(tmp_path / "data", lists=False)
    before = listed(Data(name="veri776"), tmp_path / "data")
    for path in sorted((folder / "image_train").iterdir())[::2]:
        (tmp_path / "half").mkdir(exist_ok=True)
        path.rename(tmp_path / "half" / path.name)
    (folder / "image_train" / "half").symlink_to(tmp_path / "half")
    found = listed(Data(name="veri776"), tmp_path / "data")
    assert len(found.records) == len(before.records)
    assert {r.path for r in found.records} > {r.path for r in before.records if "query" in r.path}


@each_layout
@pytest.mark.parametrize("target", [".", "..", "data set", "each other"])
def test_links_in_a_circle_end(name, layout, target, tmp_path):
    folder = LAYOUTS[name][layout](tmp_path / "data")
    before = listed(Data(name=name), tmp_path / "data")
    part = min((path for path in folder.rglob("*.jpg")), key=str).parent
    if target == "each other":
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "back").symlink_to(part)
    leads = {"data set": folder, "each other": tmp_path / "other"}.get(target, Path(target))
    (part / "loop").symlink_to(leads, target_is_directory=True)
    assert listed(Data(name=name), tmp_path / "data") == before


def test_a_link_to_itself_is_named(tmp_path):
    folder = veri_official(tmp_path)
    (folder / "image_train" / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"link .*image_train/loop cannot be followed: "):
        listed(Data(name="veri776"), tmp_path)


@pytest.mark.parametrize("target", ["veri", "nowhere"])
def test_a_link_to_nothing_with_the_name_of_a_data_set_is_no_copy(target, tmp_path):
    (tmp_path / "veri").symlink_to(target)
    with pytest.raises(DataMissingError, match="it holds veri"):
        listed(Data(name="veri776"), tmp_path)


def test_a_linked_folder_that_is_not_there_is_named_instead_of_the_archive(tmp_path):
    folder = msmt_official(tmp_path)
    shutil.rmtree(folder / "test" / "0001")
    (folder / "test" / "0001").symlink_to(tmp_path / "unmounted")
    with pytest.raises(
        DataError, match=rf"0001 is a link to {tmp_path}/unmounted, which is not there"
    ) as caught:
        listed(Data(name="msmt17"), tmp_path)
    assert "npack the archive" not in str(caught.value)


def test_linked_images_are_images(tmp_path):
    folder = in_shop_official(tmp_path / "data")
    before = listed(Data(name="in-shop"), tmp_path / "data")
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))[::5]):
        path.rename(tmp_path / f"{number}.jpg")
        path.symlink_to(tmp_path / f"{number}.jpg")
    assert listed(Data(name="in-shop"), tmp_path / "data") == before


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    veri_official(tmp_path)
    scan = os.scandir

    def refused(path):
        if str(path).endswith("image_test"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("cdd.data.image_list.os.scandir", refused)
    with pytest.raises(DataError, match="image_test cannot be listed: Permission denied"):
        listed(Data(name="veri776"), tmp_path)


@pytest.mark.parametrize("name", [b"0021_c001_\xe9.jpg", b"0021_c001_\n.jpg", b"0021_c001_\x1b[31m.jpg"])
def test_a_name_that_no_text_shows_is_named(name, tmp_path):
    folder = veri_official(tmp_path, lists=False)
    try:
        jpeg(folder / "image_query" / os.fsdecode(name), next(shots()))
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(DataError, match=r"1 images in .* have a name that is no UTF-8 .*0021_c001_\\+[unx]"):
        listed(Data(name="veri776"), tmp_path)


def test_names_that_no_text_shows_are_written_out_where_a_data_set_is_looked_for(tmp_path):
    (tmp_path / os.fsdecode(b"\xe9")).mkdir()
    with pytest.raises(DataMissingError, match=r"it holds \\udce9\. Expected") as caught:
        listed(Data(name="veri776"), tmp_path)
    str(caught.value).encode()


def test_images_beside_the_parts_are_found(tmp_path):
    jpeg(tmp_path / "a.jpg", next(shots()))
    jpeg(tmp_path / "part" / "b.JPG", next(shots()))
    assert images_below(tmp_path, "") == ["a.jpg", "part/b.JPG"]
    assert images_below(tmp_path, "missing") == []
