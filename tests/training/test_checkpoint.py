"""Checkpoints survive what happens to files."""

import errno
import os
from pathlib import Path

import pytest
import torch

from cdd.errors import CheckpointError
from cdd.training import checkpoint


def written(folder: Path, *epochs: int) -> list[str]:
    for epoch in epochs:
        checkpoint.write(folder, epoch, {"epoch": epoch, "weight": torch.full((3,), float(epoch))})
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_comes_back_equal(tmp_path: Path) -> None:
    written(tmp_path, 1, 2)
    state, damaged = checkpoint.read_newest(tmp_path)
    assert state is not None
    assert state["epoch"] == 2
    assert torch.equal(state["weight"], torch.full((3,), 2.0))
    assert damaged == []


def test_an_empty_folder_has_no_state(tmp_path: Path) -> None:
    assert checkpoint.read_newest(tmp_path) == (None, [])


def test_only_the_last_two_are_kept(tmp_path: Path) -> None:
    assert written(tmp_path, 8, 9, 10, 11) == ["epoch_0010.ckpt", "epoch_0011.ckpt"]


@pytest.mark.parametrize("cut", [0, 10, 40, -1])
def test_a_truncated_file_falls_back_to_the_one_before(tmp_path: Path, cut: int) -> None:
    written(tmp_path, 1, 2)
    newest = tmp_path / "epoch_0002.ckpt"
    newest.write_bytes(newest.read_bytes()[:cut])
    state, damaged = checkpoint.read_newest(tmp_path)
    assert state is not None
    assert state["epoch"] == 1
    assert damaged == [newest]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    written(tmp_path, 1, 2)
    newest = tmp_path / "epoch_0002.ckpt"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)
    state, _ = checkpoint.read_newest(tmp_path)
    assert state is not None
    assert state["epoch"] == 1


def test_nothing_readable_says_what_to_do(tmp_path: Path) -> None:
    written(tmp_path, 1)
    (tmp_path / "epoch_0001.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"epoch_0001\.ckpt.*Delete that folder.*and no other"):
        checkpoint.read_newest(tmp_path)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"epoch 2 .*No space left.*Epoch 1 is kept.*Free"):
        written(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.ckpt"]


def test_a_writer_that_was_killed_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    written(tmp_path, 1)
    (tmp_path / "epoch_0002.partial").write_bytes(b"half")
    state, damaged = checkpoint.read_newest(tmp_path)
    assert state is not None
    assert (state["epoch"], damaged) == (1, [])
