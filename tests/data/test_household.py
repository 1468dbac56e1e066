"""The embedded data set: intact, disjoint, and read as its protocols say."""

import json
import re
from importlib.resources import as_file, files
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cdd.data import household as reader
from cdd.data.dataset_size import _counted, dataset_size
from cdd.data.records import Dataset, evaluated, training_set
from cdd.data.registry import load
from cdd.errors import DataError
from cdd.recipe import Data
from cdd.values import Use
from tools.household.attribution import HEAD
from tools.household.split import stem

FOLDER = files("cdd.data.household")


class Frozen(NamedTuple):
    """The arrays of the embedded file, and the description of each identity."""

    arrays: dict[str, NDArray[np.generic]]
    meta: list[dict[str, str]]


@pytest.fixture(scope="module")
def frozen() -> Frozen:
    with as_file(FOLDER / reader.FILE) as path, np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return Frozen(arrays, json.loads(arrays.pop("meta").item()))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load(Data(name="household", height=16, width=8))


def identities(dataset: Dataset, indices: np.ndarray) -> set[int]:
    return {dataset.records[index].identity for index in indices}


@pytest.mark.parametrize("use", ["standard", "tuning", "pretraining"])
def test_training_and_evaluated_identities_are_disjoint(dataset: Dataset, use: Use) -> None:
    trained = identities(dataset, training_set(dataset, use).indices)
    assert not trained & identities(dataset, evaluated(dataset, use))


def test_test_identities_are_seen_by_no_training_and_no_tuning(dataset: Dataset) -> None:
    tested = identities(dataset, evaluated(dataset, "standard"))
    for use in ("tuning", "pretraining"):
        assert not tested & identities(dataset, training_set(dataset, use).indices)
        assert not tested & identities(dataset, evaluated(dataset, use))


def test_pretraining_identities_serve_nothing_else(dataset: Dataset) -> None:
    pretrained = identities(dataset, training_set(dataset, "pretraining").indices)
    assert not pretrained & identities(dataset, training_set(dataset, "standard").indices)
    assert not pretrained & identities(dataset, evaluated(dataset, "standard"))


def test_validation_identities_are_training_identities(dataset: Dataset) -> None:
    validated = identities(dataset, evaluated(dataset, "tuning"))
    assert validated < identities(dataset, training_set(dataset, "standard").indices)


def test_labels_count_from_zero_without_gaps(dataset: Dataset) -> None:
    examples = training_set(dataset, "standard")
    assert set(examples.labels) == set(range(examples.identities))


def test_every_identity_is_seen_by_six_cameras(dataset: Dataset) -> None:
    seen: dict[int, set[int]] = {}
    for record in dataset.records:
        seen.setdefault(record.identity, set()).add(record.camera)
    assert all(cameras == set(range(6)) for cameras in seen.values())


def test_images_come_at_the_size_asked_for(dataset: Dataset) -> None:
    images = dataset.pixels([0, len(dataset.records) - 1])
    assert images.shape == (2, 3, 16, 8)
    assert images.float().std() > 10


def test_cross_camera_protocol_has_disjoint_cameras() -> None:
    assert reader.CROSS_CAMERA.query.cameras is not None
    assert reader.CROSS_CAMERA.gallery.cameras is not None
    assert not reader.CROSS_CAMERA.query.cameras & reader.CROSS_CAMERA.gallery.cameras


def test_the_file_is_small_and_attributed() -> None:
    assert len((FOLDER / reader.FILE).read_bytes()) <= 15_000_000
    assert "CC" in (FOLDER / "ATTRIBUTION.md").read_text()


def flipped(content: bytes) -> bytes:
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize(
    "ask", [lambda: reader.household(16, 16), lambda: dataset_size(Data(name="household"))]
)
@pytest.mark.parametrize(
    ("file", "change"),
    [
        (reader.FILE, flipped),
        (reader.FILE, lambda _: b""),
        ("SHA256", lambda _: b""),
        ("SHA256", lambda _: b"\xff"),
        ("SHA256", lambda content: b"0" + content),
        ("SHA256", None),
    ],
)
def test_a_damaged_file_is_named(ask, file, change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (reader.FILE, "SHA256"):
        content = (FOLDER / name).read_bytes()
        if name != file or change:
            (tmp_path / name).write_bytes(change(content) if name == file else content)
    monkeypatch.setattr(reader, "files", lambda _: tmp_path)
    monkeypatch.setattr("cdd.data.dataset_size._counted", _counted.__wrapped__)
    with pytest.raises(DataError, match=r"household64\.npz.* is damaged.*git checkout"):
        ask()


def test_an_unknown_data_set_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="household"):
        load(Data(name="houshold"))


def test_enough_identities_with_every_camera_and_view_once(frozen: Frozen) -> None:
    places = np.stack([frozen.arrays[name] for name in ("identity", "camera", "view")], axis=1)
    assert [tuple(place) for place in places] == list(product(range(len(frozen.meta)), range(6), range(3)))
    assert len(frozen.meta) >= 700


def test_every_identity_is_on_one_side(frozen: Frozen) -> None:
    sides = set(zip(frozen.arrays["identity"].tolist(), frozen.arrays["split"].tolist(), strict=True))
    assert len(sides) == len(frozen.meta)
    assert {split for _, split in sides} == set(range(len(reader.SPLITS)))


def test_variants_of_a_model_are_on_one_side(frozen: Frozen) -> None:
    sides: dict[str, set[int]] = {}
    for identity, split in zip(frozen.arrays["identity"], frozen.arrays["split"], strict=True):
        described = frozen.meta[identity]
        sides.setdefault(f"{described['library']}/{stem(described['model'])}", set()).add(int(split))
    assert all(len(found) == 1 for found in sides.values())
    assert len(sides) < len(frozen.meta)


def test_every_identity_is_attributed_as_the_file_describes_it(frozen: Frozen) -> None:
    page = (FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert page.startswith(HEAD)
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| \d+ \|", line)]
    splits = dict(zip(frozen.arrays["identity"].tolist(), frozen.arrays["split"].tolist(), strict=True))
    for identity, (row, described) in enumerate(zip(rows, frozen.meta, strict=True)):
        assert row[:2] == [f"| {identity}", reader.SPLITS[splits[identity]]]
        assert row[3] == f"`{described['library']}/{described['model']}`"
        assert row[4] == described["creator"] != ""
        assert re.match(rf"\[{re.escape(described['licence'])}\]\(https://creativecommons\.org/", row[6])


def test_no_two_images_are_the_same(frozen: Frozen) -> None:
    data, offset = frozen.arrays["data"].tobytes(), frozen.arrays["offset"]
    images = {data[start:end] for start, end in pairwise(offset)}
    assert len(images) == len(frozen.arrays["identity"])
