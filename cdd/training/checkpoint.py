"""Checkpoints that survive kill -9, a full disk and a truncated file."""

import hashlib
import re
from pathlib import Path
from typing import Any

from cdd.errors import CheckpointError, WriteError
from cdd.files import atomic_write, sweep
from cdd.tensor_files import loaded, saved

KEPT = 2
_DIGEST_BYTES = 32
_NAME = re.compile(r"epoch_(\d{4})\.ckpt")


def write(folder: Path, epoch: int, state: dict[str, Any]) -> None:
    """Writes the state after an epoch atomically, and keeps the last two checkpoints.

    The file begins with the SHA-256 digest of the rest.

    Raises:
        CheckpointError: if the file cannot be written; the previous checkpoint is kept.
    """
    content = saved(state)
    path = folder / f"epoch_{epoch:04d}.ckpt"
    try:
        atomic_write(path, hashlib.sha256(content).digest() + content)
    except WriteError as error:
        raise CheckpointError(
            f"the checkpoint of epoch {epoch} could not be written: {error.cause}. Epoch {epoch - 1} is "
            f"kept. Free about {len(content) / 1e6:.0f} MB in {folder} and give the same command again: it "
            "goes on from there."
        ) from error
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()


def read_newest(folder: Path) -> tuple[dict[str, Any] | None, list[Path]]:
    """The state of the newest readable checkpoint, and the paths of newer, damaged ones.

    Raises:
        CheckpointError: if there are checkpoints and all of them are damaged.
    """
    damaged: list[Path] = []
    for path in _newest_first(folder):
        try:
            return _read(path), damaged
        except (OSError, ValueError):
            damaged.append(path)
    if damaged:
        raise CheckpointError(
            f"no checkpoint in {folder} can be read: {', '.join(path.name for path in damaged)} truncated or "
            "damaged. Delete that folder and give the same command again: it trains this run anew, and no "
            "other."
        )
    return None, []


def _read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("is damaged: its content is not what its SHA-256 says")
    state = loaded(content)
    if not isinstance(state, dict):
        raise ValueError("holds no state of a training")
    return state


def discard(folder: Path) -> None:
    """Deletes all checkpoints of a finished run, and partial files of an interrupted write."""
    for path in _newest_first(folder):
        path.unlink()
    sweep(folder)


def _newest_first(folder: Path) -> list[Path]:
    paths = [path for path in folder.glob("epoch_*.ckpt") if _NAME.fullmatch(path.name)]
    return sorted(paths, key=lambda path: path.name, reverse=True)
