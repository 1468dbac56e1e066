"""`data verify` and `data prepare`: what they print, and their exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cdd.data.dataset_facts import Count, real_dataset, real_datasets
from tests.data.cifar_trees import cifar
from tests.data.real_trees import veri_official
from tests.reproduce.said import Said


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the small copy the published data set."""
    known = replace(
        real_dataset("veri776"),
        splits={"training": (Count(120, 20),), "query": (Count(12, 4),), "gallery": (Count(12, 4),)},
        cameras=3,
    )
    monkeypatch.setitem(real_datasets(), "veri776", known)


@pytest.mark.usefixtures("published")
def test_a_whole_copy_is_verified(tmp_path: Path) -> None:
    veri_official(tmp_path)
    said = Said("data", "verify", "veri776", "--data-root", str(tmp_path))
    assert said.code == 0
    assert "training  120 images of 20 identities, 3 cameras: as published" in said.out
    assert said.out.rstrip().endswith("complete and readable")


def test_an_incomplete_copy_ends_with_code_1_and_every_fault(tmp_path: Path) -> None:
    folder = veri_official(tmp_path)
    faulty = sorted((folder / "image_test").iterdir())[:2]
    for path in faulty:
        path.write_text("not an image")
    said = Said("data", "verify", "veri776", "--data-root", str(tmp_path))
    assert said.code == 1
    assert "differs (published 37778 of 576)" in said.out
    assert all(f"FAIL      image_test/{path.name}" in said.out for path in faulty)


@pytest.mark.usefixtures("published")
def test_scripts_read_the_same(tmp_path: Path) -> None:
    folder = veri_official(tmp_path)
    sorted((folder / "image_query").iterdir())[0].write_text("not an image")
    said = Said("data", "verify", "veri776", "--data-root", str(tmp_path), "--format", "json")
    found = json.loads(said.out)
    assert said.code == 1
    assert found["ok"] is False
    assert [split["images"] for split in found["splits"]] == [120, 12, 12]
    assert len(found["unreadable"]) == 1
    assert len(found["digest"]) == 64


def test_a_data_set_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    said = Said("data", "verify", "msmt17", "--data-root", str(tmp_path))
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "MSMT17 is not at" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["data", "verify", "market1501", "--data-root", "."],
        ["data", "verify", "veri776"],
        ["data", "prepare", "veri776", "--data-root", ".", "--image-size", "256"],
        ["data", "clean"],
    ],
)
def test_wrong_use_ends_with_code_2(words: list[str]) -> None:
    assert Said(*words).code == 2


def test_a_prepared_data_set_says_where_it_is(tmp_path: Path) -> None:
    veri_official(tmp_path)
    said = Said("data", "prepare", "veri776", "--data-root", str(tmp_path), "--image-size", "12x8")
    assert said.code == 0
    assert "144 images at 12x8 are in" in said.out
    assert "144 images at 12x8 take 0.0 GB in" in said.err
    assert (tmp_path / ".cdd" / "veri776-12x8" / "pixels.npy").exists()


def test_cifar_is_counted_and_its_files_compared(tmp_path: Path) -> None:
    cifar("cifar10", tmp_path)
    said = Said("data", "verify", "cifar10", "--data-root", str(tmp_path))
    assert said.code == 1
    assert "training  100 images of 10 identities: differs (published 50000 of 10)" in said.out
    assert "remark    MD5 differs from the published: data_batch_1" in said.out
    found = json.loads(
        Said("data", "verify", "cifar10", "--data-root", str(tmp_path), "--format", "json").out
    )
    assert found["altered"][-2:] == ["test_batch", "batches.meta"]


def test_cifar_needs_no_preparation(tmp_path: Path) -> None:
    said = Said("data", "prepare", "cifar100", "--data-root", str(tmp_path), "--image-size", "32x32")
    assert said.code == 1
    assert "there is nothing to prepare" in said.err


@pytest.mark.parametrize("verb", ["verify", "prepare"])
def test_every_help_has_an_example(verb: str) -> None:
    assert f"python -m reproduce data {verb}" in " ".join(Said("data", verb, "--help").out.split())


def test_a_wrong_name_shows_those_that_there_are() -> None:
    said = Said("data", "verify", "household", "--data-root", ".")
    assert said.code == 2
    assert all(name in said.err for name in real_datasets())
