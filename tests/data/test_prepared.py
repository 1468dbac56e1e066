"""What was prepared is byte for byte what decoding gives, and is refused once the data set has changed."""

import shutil
from pathlib import Path

import pytest
import torch

from cdd.data import prepared
from cdd.data.catalog import listed, load
from cdd.data.prepared import prepare
from cdd.errors import DataError
from cdd.recipe import Data
from tests.data.real_trees import EACH, LAYOUTS, veri_official


def small(name, **changes):
    return Data(name=name, height=12, width=8, **changes)


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_a_prepared_data_set_is_the_one_on_disk(name, layout, tmp_path, monkeypatch):
    LAYOUTS[name][layout](tmp_path)
    before = load(small(name), tmp_path)
    prepare(small(name), tmp_path, listed(small(name), tmp_path))
    monkeypatch.setattr("cdd.data.catalog.listed", lambda data, root: pytest.fail("listed again"))
    after = load(small(name), tmp_path)
    for field in ("name", "records", "protocols", "digest", "layout", "remarks"):
        assert getattr(after, field) == getattr(before, field)
    indices = list(range(len(before.records)))[::-1]
    torch.testing.assert_close(after.pixels(indices), before.pixels(indices), rtol=0, atol=0)


def test_each_size_and_choice_of_lists_is_its_own(tmp_path):
    LAYOUTS["msmt17"]["flat"](tmp_path)
    prepare(small("msmt17"), tmp_path, listed(small("msmt17"), tmp_path))
    assert prepared.read(small("msmt17"), tmp_path)
    assert prepared.read(small("msmt17", msmt17_lists="train"), tmp_path) is None
    assert prepared.read(Data(name="msmt17", height=12, width=9), tmp_path) is None


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A data root with VeRi-776, prepared."""
    veri_official(tmp_path)
    prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    return tmp_path


def test_an_added_image_or_an_edited_list_is_noticed(ready):
    one = next((ready / "VeRi" / "image_test").iterdir())
    shutil.copy(one, one.with_name("0024_c003_00090000_0.jpg"))
    with pytest.raises(DataError, match="has changed since .* data prepare veri776"):
        load(small("veri776"), ready)
    prepare(small("veri776"), ready, listed(small("veri776"), ready))
    load(small("veri776"), ready)
    (ready / "VeRi" / "name_test.txt").write_text(one.name)
    with pytest.raises(DataError, match="has changed since"):
        load(small("veri776"), ready)


@pytest.mark.parametrize("part", ["index.json", "pixels.npy"])
def test_damaged_files_are_named(part, ready):
    path = ready / ".cdd" / "veri776-12x8" / part
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="is damaged: .* data prepare veri776"):
        load(small("veri776"), ready)


def test_an_unreadable_image_leaves_nothing_behind(tmp_path):
    folder = veri_official(tmp_path)
    next((folder / "image_test").iterdir()).write_text("not an image")
    with pytest.raises(DataError, match="cannot be read"):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    assert not list((tmp_path / ".cdd").iterdir())


def test_what_was_prepared_before_stays_when_preparing_again_fails(ready):
    listing = listed(small("veri776"), ready)
    one = next((ready / "VeRi" / "image_test").iterdir())
    content = one.read_bytes()
    one.write_text("not an image")
    with pytest.raises(DataError):
        prepare(small("veri776"), ready, listing)
    one.write_bytes(content)
    assert prepared.read(small("veri776"), ready)


def test_too_little_space_is_said_before_anything_is_decoded(tmp_path, monkeypatch):
    veri_official(tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("cdd.data.prepared.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"need 0\.0 GB .* make room"):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))


def test_a_root_that_cannot_be_written_is_said(tmp_path):
    veri_official(tmp_path)
    (tmp_path / ".cdd").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))


def test_progress_is_told(tmp_path):
    veri_official(tmp_path)
    seen = []
    prepare(
        small("veri776"),
        tmp_path,
        listed(small("veri776"), tmp_path),
        lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (144, 144)
