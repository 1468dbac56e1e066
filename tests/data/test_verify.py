"""Verification counts against what is published and reads every image."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cdd.data.dataset_facts import Count, real_dataset, real_datasets
from cdd.data.image_list import ImageList
from cdd.data.registry import listed
from cdd.data.verify import remarks_on_counts, verify
from cdd.recipe import Data
from tests.data.real_trees import LAYOUTS, veri_flat

AS_WRITTEN = {"training": (Count(120, 20),), "query": (Count(12, 4),), "gallery": (Count(12, 4),)}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of VeRi-776 that is as published, for this test."""
    publish(monkeypatch, AS_WRITTEN)
    return veri_flat(tmp_path)


def publish(monkeypatch, splits, cameras=3):
    known = replace(real_dataset("veri776"), splits=splits, cameras=cameras)
    monkeypatch.setitem(real_datasets(), "veri776", known)


def found(tree: Path) -> ImageList:
    return listed(Data(name="veri776"), tree)


def test_a_whole_copy_is_ok(tree):
    seen = []
    result = verify(found(tree), lambda done, total: seen.append((done, total)))
    assert result.ok
    assert [count.verdict for count in result.splits] == ["as published"] * 3
    assert (result.layout, result.cameras, result.unreadable) == ("flat", 3, {})
    assert seen == [(done, 144) for done in range(1, 145)]
    assert not found(tree).remarks


def test_every_unreadable_image_is_named_with_its_reason(tree):
    paths = sorted((tree / "gallery").iterdir())
    paths[0].write_bytes(paths[0].read_bytes()[:300])
    paths[3].write_text("not an image")
    result = verify(found(tree))
    assert not result.ok
    assert set(result.unreadable) == {f"gallery/{paths[index].name}" for index in (0, 3)}
    assert "truncated" in result.unreadable[f"gallery/{paths[0].name}"].lower()
    assert str(tree) not in result.unreadable[f"gallery/{paths[3].name}"]


def test_another_count_is_not_ok(tree):
    sorted((tree / "query").iterdir())[0].unlink()
    result = verify(found(tree))
    assert not result.ok
    assert {count.split: count.verdict for count in result.splits}["query"] == "differs"
    assert remarks_on_counts(found(tree)) == ("query: 11 images of 4 identities, published are 12 of 4",)


def test_a_known_alternative_is_ok_and_reported(tree, monkeypatch):
    publish(monkeypatch, {**AS_WRITTEN, "training": (Count(150, 20), Count(120, 20, "a copy of 2019"))})
    result = verify(found(tree))
    assert result.ok
    assert result.splits[0].verdict == "a copy of 2019"
    assert remarks_on_counts(found(tree)) == (
        "training: 120 images of 20 identities, published are 150 of 20 (a copy of 2019)",
    )


def test_a_missing_camera_is_not_ok(tree, monkeypatch):
    publish(monkeypatch, AS_WRITTEN, cameras=4)
    assert not verify(found(tree)).ok


def test_what_is_published_adds_up():
    assert (
        sum(real_dataset("msmt17").splits[split][0].images for split in ("training", "query", "gallery"))
        == 126_441
    )
    assert (
        sum(real_dataset("in-shop").splits[split][0].images for split in ("training", "query", "gallery"))
        == 52_712
    )


def test_every_data_set_of_files_has_a_tree_to_be_tested_on():
    assert {name for name, spec in real_datasets().items() if not spec.is_array} == LAYOUTS.keys()


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_digest_is_that_of_the_list_alone(name, tmp_path):
    write = next(iter(LAYOUTS[name].values()))
    first, second = (listed(Data(name=name), write(tmp_path / side)) for side in ("a", "b"))
    assert first.digest == second.digest
    sorted(write(tmp_path / "b").rglob("*.jpg"))[0].touch()
    assert listed(Data(name=name), tmp_path / "b").digest == first.digest


def test_an_interruption_does_not_wait_for_the_other_images(tree, monkeypatch):
    read = []

    def slow(path):
        read.append(path)
        time.sleep(0.01)

    def interrupted(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr("cdd.data.verify._problem", slow)
    with pytest.raises(KeyboardInterrupt):
        verify(found(tree), interrupted)
    assert len(read) < 100
