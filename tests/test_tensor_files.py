"""Files of tensors say themselves whether they are whole, and none is trusted."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cdd.errors import DataError
from cdd.models.deployed import load_deployed, load_deployed_network, save_deployed
from cdd.models.network import RetrievalNetwork
from cdd.models.zoo import BACKBONES
from cdd.seals import sealed
from cdd.tensor_files import read_state, read_tensors, saved, write_tensors
from tests.small import BACKBONE

STATE = {"a.weight": torch.arange(600, dtype=torch.float32).reshape(20, 30), "a.count": torch.tensor(3)}
REMEDY = "Copy it again."


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/never",)


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def an_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def a_legacy_file(values: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(values, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def refused(path: Path, content: bytes, part: str) -> str:
    path.write_bytes(content)
    with pytest.raises(DataError) as found:
        read_state(path, "the weights of run 0123456789ab", REMEDY)
    text = str(found.value)
    assert text.startswith(f"the weights of run 0123456789ab in {path} cannot be ")
    assert part in text
    assert text.endswith(REMEDY)
    assert "weights_only" not in text
    assert "\n" not in text
    return text


def test_what_is_written_comes_back_and_torch_and_zip_read_it_too(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    write_tensors(path, STATE)
    for found in (read_state(path, "weights", REMEDY), torch.load(path, weights_only=True)):
        assert found.keys() == STATE.keys()
        assert all(torch.equal(found[name], STATE[name]) for name in STATE)
    assert zipfile.ZipFile(path).comment.startswith(b"cdd-sha256:")


@pytest.mark.parametrize("content", [saved(STATE), a_legacy_file(STATE)], ids=["zip", "legacy"])
def test_a_file_without_a_digest_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "old.pth"
    path.write_bytes(content)
    assert read_state(path, "weights", REMEDY).keys() == STATE.keys()


@pytest.mark.parametrize("with_digest", [True, False])
def test_no_flipped_bit_of_a_tensor_passes(tmp_path: Path, with_digest: bool) -> None:
    whole = sealed(saved(STATE)) if with_digest else saved(STATE)
    start = whole.index(STATE["a.weight"].numpy().tobytes())
    for place in range(start, start + 2400, 97):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        refused(tmp_path / "weights.pt", bytes(content), "is damaged: ")


def test_no_byte_of_a_sealed_file_can_change_what_is_read(tmp_path: Path) -> None:
    whole, path = sealed(saved(STATE)), tmp_path / "weights.pt"
    for place in range(0, len(whole), 61):
        content = bytearray(whole)
        content[place] ^= 0xFF
        path.write_bytes(bytes(content))
        try:
            found = read_state(path, "weights", REMEDY)
        except DataError:
            continue
        assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_a_hundred_zeroed_bytes_are_noticed_anywhere(tmp_path: Path) -> None:
    whole = sealed(saved(STATE))
    for place in range(0, len(whole) - 175, 100):
        content = whole[:place] + bytes(100) + whole[place + 100 :]
        if content != whole:
            refused(tmp_path / "weights.pt", content, "")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    whole = sealed(saved(STATE))
    refused(tmp_path / "weights.pt", whole[: int(share * len(whole))], "is damaged or cut off")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (b"\n <html>404</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"no weights", "is no file that torch.save writes"),
        (json.dumps({"a": 1}).encode(), "is a JSON file"),
        (an_array(), "is an array of NumPy"),
        (zipped(**{"a.txt": b"hello"}), "is a zip archive of something else (it holds a.txt)"),
        (pickle.dumps(Evil()), "which is not loaded, for it could run code"),
        (saved(Evil()), "which is not loaded, for it could run code"),
        (a_legacy_file(STATE)[:-300], "is damaged or cut off"),
        (saved([1, 2]), "expected names and tensors, found a list"),
        (saved({"epoch": 1}), "found a dict of epoch"),
        (saved({"a": torch.zeros(1).expand(10**12)}), "expected names and tensors"),
        (saved({"a": torch.tensor([1.0, float("nan")])}), "values in a are no numbers (NaN or infinite)"),
    ],
    ids=range(15),
)
def test_what_is_no_file_of_weights_says_what_it_is(tmp_path: Path, content: bytes, part: str) -> None:
    refused(tmp_path / "weights.pt", content, part)
    assert not Path("/tmp/never").exists()


def test_a_compressed_copy_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with (
        zipfile.ZipFile(io.BytesIO(saved(STATE))) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for name in source.namelist():
            copy.writestr(name, source.read(name))
    refused(path, path.read_bytes(), "it is compressed")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"weights in .*gone\.pt cannot be read: No such file or directory\. Copy"
    ):
        read_tensors(tmp_path / "gone.pt", "weights", REMEDY)


def test_only_a_file_of_torch_can_be_sealed() -> None:
    with pytest.raises(ValueError, match="only a zip"):
        sealed(b"text" + struct.pack("<22x"))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deployed") / "deployed.pt"
    save_deployed(RetrievalNetwork(BACKBONE, 8, channels=[1, 2, 3, 4], folded=True), BACKBONE, path)
    return path


def changed(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda stored: {**stored, **values}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda stored: stored["state"], "holds a state dict, not a deployed network"),
        (lambda stored: [101], "is no deployed network"),
        (lambda stored: {101: 1}, "is no deployed network"),
        (lambda stored: {**stored, "state": [1]}, "is no deployed network (state"),
        (changed(identities="many"), "is no deployed network (identities"),
        (changed(identities=10**12), "is no deployed network (identities"),
        (changed(identities=10**5), "do not fit the network that it says it is, in classifier.weight"),
        (changed(channels=[1, 2, 3, 5]), "do not fit"),
        (changed(channels=[1, 2]), "is damaged"),
        (changed(channels=[1, 2, 3, -4]), "is no deployed network (channels.3"),
        (changed(backbone={"block": "spiral"}), "is no deployed network (backbone"),
    ],
)
def test_what_is_no_deployed_network_says_what_it_is(
    tmp_path: Path, deployed: Path, change: Callable[[Any], Any], part: str
) -> None:
    path = tmp_path / "other.pt"
    write_tensors(path, change(torch.load(deployed, weights_only=True)))
    with pytest.raises(DataError) as found:
        load_deployed(path)
    assert str(path) in str(found.value)
    assert part in str(found.value)


def test_the_deployed_network_of_another_backbone_is_refused(deployed: Path) -> None:
    assert load_deployed_network(deployed, BACKBONE) is not None
    with pytest.raises(DataError, match="of another run"):
        load_deployed_network(deployed, BACKBONES["resnet18"])
