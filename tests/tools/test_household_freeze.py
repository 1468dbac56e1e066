"""The frozen file: same content, same bytes; and what the reader needs is in it."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from cdd.data import household as reader
from tools.household import freeze as freezing
from tools.household.freeze import DIGEST, FILE, FrozenImage, arrays, encoded, freeze

META = [{"name": "Stühle"}, {"name": "Table"}]


def pixels(seed):
    smooth = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(smooth).resize((64, 64)))


@pytest.fixture
def images():
    """Two identities before two cameras, once each."""
    return [
        FrozenImage(encoded(pixels(2 * identity + camera)), identity, camera, 0, 3 * identity)
        for identity in range(2)
        for camera in range(2)
    ]


def test_no_time_is_stored(images, tmp_path):
    freeze(arrays(images, META), tmp_path)
    with zipfile.ZipFile(tmp_path / FILE) as stored:
        assert {member.date_time for member in stored.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_digest_is_that_of_the_file_in_the_form_of_sha256sum(images, tmp_path):
    digest = freeze(arrays(images, META), tmp_path)
    assert digest == hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest()
    assert (tmp_path / DIGEST).read_text() == f"{digest}  {FILE}\n"


def test_a_file_that_would_be_too_large_is_refused_and_not_written(images, tmp_path, monkeypatch):
    monkeypatch.setattr(freezing, "LARGEST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"at most 1000 are allowed: lower QUALITY"):
        freeze(arrays(images, META), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_arrays_are_read_back_as_written(images, tmp_path):
    freeze(arrays(images, META), tmp_path)
    with np.load(tmp_path / FILE) as stored:
        assert stored["identity"].tolist() == [0, 0, 1, 1]
        assert stored["camera"].tolist() == [0, 1, 0, 1]
        assert stored["view"].tolist() == [0, 0, 0, 0]
        assert stored["split"].tolist() == [0, 0, 3, 3]
        assert json.loads(stored["meta"].item()) == META
        data, offset = stored["data"].tobytes(), stored["offset"]
    assert offset[0] == 0
    assert [data[offset[i] : offset[i + 1]] for i in range(4)] == [image.content for image in images]
    assert offset[-1] == len(data)


def test_the_library_reads_what_was_frozen(images, tmp_path, monkeypatch):
    digest = freeze(arrays(images, META), tmp_path)
    monkeypatch.setattr(reader, "files", lambda _: tmp_path)
    dataset = reader.household(64, 64)
    assert dataset.digest == digest
    assert [(record.identity, record.camera, record.split) for record in dataset.records] == [
        (0, 0, "pretraining"),
        (0, 1, "pretraining"),
        (1, 0, "test"),
        (1, 1, "test"),
    ]
    shown = dataset.pixels([3])[0].permute(1, 2, 0).numpy().astype(float)
    assert np.abs(shown - pixels(3)).mean() < 8


def test_an_encoded_image_is_a_small_jpeg_that_looks_alike():
    content = encoded(pixels(5))
    with Image.open(io.BytesIO(content)) as stored:
        assert (stored.format, stored.size, stored.mode) == ("JPEG", (64, 64), "RGB")
        assert np.abs(np.asarray(stored, dtype=float) - pixels(5)).mean() < 8
    assert content == encoded(pixels(5))
    assert len(content) < 4000
