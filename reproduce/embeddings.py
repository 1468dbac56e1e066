"""Embeddings on disk: an npz file with `embeddings`, `identities` and, where cameras count, `cameras`."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproduce.errors import UsageError

NEEDED = ("embeddings", "identities")
UNREADABLE = (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for files that are empty, damaged, of objects, or a single array."""


@dataclass(frozen=True)
class Embeddings:
    """The arrays of one file, one row per image."""

    path: Path
    embeddings: NDArray[Any]
    identities: NDArray[Any]
    cameras: NDArray[Any] | None


def read_embeddings(path: Path) -> Embeddings:
    """The file's arrays, checked.

    Raises:
        UsageError: for a file that is missing, unreadable or lacks an array, for unequal sizes, and
            for values that are NaN or infinite.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist") from None
    except UNREADABLE as error:
        raise UsageError(f"{path} cannot be read as an npz file of plain arrays: {error}") from error
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise UsageError(
            f"{path} has the arrays {sorted(arrays)}, but not {' and '.join(missing)}: write it with "
            "numpy.savez(path, embeddings=..., identities=...)"
        )
    found = Embeddings(path, arrays["embeddings"], arrays["identities"], arrays.get("cameras"))
    _check(found)
    return found


def check_cameras(query: Embeddings, gallery: Embeddings) -> None:
    """Refuses cameras in one file only: whether anything is excluded would be a guess.

    Raises:
        UsageError: naming the file without cameras.
    """
    if (query.cameras is None) != (gallery.cameras is None):
        without = query if query.cameras is None else gallery
        raise UsageError(f"{without.path} has no array `cameras`, the other file has: give both or neither")


def _check(found: Embeddings) -> None:
    if found.embeddings.ndim != 2 or not np.issubdtype(found.embeddings.dtype, np.number):
        shape = found.embeddings.shape
        raise UsageError(
            f"{found.path}: embeddings have shape {shape}, expected numbers of shape (images, size)"
        )
    rows = len(found.embeddings)
    for name in ("identities", "cameras"):
        array = getattr(found, name)
        if array is not None and array.shape != (rows,):
            raise UsageError(
                f"{found.path}: {name} have shape {array.shape} for {rows} embeddings, expected ({rows},)"
            )
    bad = np.flatnonzero(~np.isfinite(found.embeddings).all(axis=1))
    if len(bad):
        raise UsageError(
            f"{found.path}: {len(bad)} of {rows} embeddings hold NaN or infinite values, "
            f"the first in row {bad[0]}"
        )
