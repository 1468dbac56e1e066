"""Checkpoints that survive kill -9, a full disk and a truncated file."""

import hashlib
import io
import os
import re
from pathlib import Path
from typing import Any

import torch

from cdd.errors import CheckpointError

KEPT = 2
_DIGEST_BYTES = 32
_NAME = re.compile(r"epoch_(\d{4})\.ckpt")


def write(folder: Path, epoch: int, state: dict[str, Any]) -> None:
    """Writes the state after an epoch, complete or not at all, and keeps the last two.

    The file begins with the SHA-256 of what follows.

    Raises:
        CheckpointError: if it cannot be written; the checkpoint before it stays.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    path = folder / f"epoch_{epoch:04d}.ckpt"
    try:
        write_file(path, hashlib.sha256(content).digest() + content)
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint of epoch {epoch} could not be written to {folder}: {error.strerror or error}. "
            f"Epoch {epoch - 1} is kept. Free about {len(content) / 1e6:.0f} MB there and give the same "
            "command again: it goes on from there."
        ) from error
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()


def write_file(path: Path, content: bytes) -> None:
    """Puts a file in place in one step, after its bytes have reached the disk."""
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_newest(folder: Path) -> tuple[dict[str, Any] | None, list[Path]]:
    """The state of the newest readable checkpoint, and the damaged ones that were passed over.

    Raises:
        CheckpointError: if there are checkpoints and all of them are damaged.
    """
    damaged: list[Path] = []
    for path in _newest_first(folder):
        content = path.read_bytes()
        digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() == digest:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), damaged
        damaged.append(path)
    if damaged:
        raise CheckpointError(
            f"no checkpoint in {folder} can be read: {', '.join(path.name for path in damaged)} truncated "
            "or damaged. Start this run anew with --fresh."
        )
    return None, []


def discard(folder: Path) -> None:
    """Deletes all checkpoints of a run that has its result."""
    for path in _newest_first(folder):
        path.unlink()


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("epoch_*.ckpt") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)
