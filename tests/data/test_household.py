"""The embedded data set: intact, disjoint, and read as its protocols say."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from cdd.data import household as reader
from cdd.data.catalog import load
from cdd.data.records import Dataset, Use, evaluated, training_set
from cdd.errors import DataError
from cdd.recipe import Data

FOLDER = files("cdd.data.household")


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


def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray((FOLDER / reader.FILE).read_bytes())
    content[1000] ^= 1
    (tmp_path / reader.FILE).write_bytes(content)
    (tmp_path / "SHA256").write_text((FOLDER / "SHA256").read_text())
    monkeypatch.setattr(reader, "files", lambda _: tmp_path)
    with pytest.raises(DataError, match=r"household64\.npz is damaged.*git checkout"):
        reader.household(16, 16)


def test_an_unknown_data_set_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="household"):
        load(Data(name="houshold"))
