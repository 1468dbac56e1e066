"""Embeddings on disk: an npz file with `embeddings`, `identities` and, where cameras count, `cameras`."""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cdd.evaluation import evaluate_retrieval
from cdd.evaluation.metrics import RetrievalMetrics
from cdd.evaluation.similarity import Distance
from reproduce.errors import UsageError

MARKET_JUNK = -1
NEEDED, OPTIONAL = ("embeddings", "identities"), ("cameras",)
MOST_COMPRESSION = 1100
"""Deflate makes at most 1,032 bytes of one; who promises more has a damaged or a hostile file."""
LONGEST_HEADER = 10_000


@dataclass(frozen=True)
class Embeddings:
    """The arrays of one file, one row per image."""

    path: Path
    embeddings: NDArray[Any]
    identities: NDArray[Any]
    cameras: NDArray[Any] | None


@dataclass(frozen=True)
class Accuracy:
    """How well the queries of one file find their identities in another, or in their own.

    Attributes:
        junk: gallery rows that no query saw.
        notes: what a reader of the numbers should know.
    """

    metrics: RetrievalMetrics
    leave_one_out: bool
    junk: int
    notes: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        """The numbers as plain values."""
        metrics = self.metrics
        return {
            "mean_average_precision": metrics.mean_average_precision,
            "mean_inverse_negative_penalty": metrics.mean_inverse_negative_penalty,
            "cmc": {str(rank): value for rank, value in metrics.cmc.items()},
            "valid_queries": metrics.valid_queries,
            "queries": metrics.queries,
            "leave_one_out": self.leave_one_out,
            "junk": self.junk,
        }


def accuracy(query: Path, gallery: Path | None, distance: Distance, junk: Sequence[int]) -> Accuracy:
    """Accuracy of the queries; one set against itself where no other gallery is given.

    Raises:
        UsageError: for files that cannot be read or do not suit each other.
    """
    ours = read_embeddings(query)
    alone = gallery is None or query.samefile(_existing(gallery))
    theirs = ours if alone or gallery is None else read_embeddings(gallery)
    check_cameras(ours, theirs)
    sides = (ours.embeddings, theirs.embeddings, ours.identities, theirs.identities)
    try:
        found = evaluate_retrieval(
            *sides, ours.cameras, theirs.cameras, distance=distance, junk=junk, leave_one_out=alone
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    notes = []
    if alone and gallery is not None:
        notes.append("queries and gallery are one file: each query is left out of its own ranking")
    marked = int((theirs.identities == MARKET_JUNK).sum())
    if marked and MARKET_JUNK not in junk:
        notes.append(f"{marked} gallery images of identity -1 count as wrong: --junk -1 leaves them out")
    return Accuracy(found, alone, int(np.isin(theirs.identities, list(junk)).sum()), tuple(notes))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    return path


class _UnreadableError(Exception):
    """What is wrong with a file, in words."""


def read_embeddings(path: Path) -> Embeddings:
    """The file's arrays, checked.

    Nothing is allocated, and no pickle is opened, before the sizes that the file announces are compared
    with those that it has.

    Raises:
        UsageError: for a file that is missing, unreadable or lacks an array, for unequal sizes, and
            for values that are NaN or infinite.
    """
    if not path.is_file():
        raise UsageError(f"{path} {'is no file' if path.exists() else 'does not exist'}")
    try:
        arrays = _arrays(path)
    except Exception as error:  # The readers of zip and npy raise anything for a damaged file.
        why = str(error) or type(error).__name__
        raise UsageError(f"{path} cannot be read as an npz file of plain arrays: {why}") from error
    missing = [name for name in NEEDED if arrays.get(name) is None]
    if missing:
        raise UsageError(
            f"{path} has the arrays {sorted(arrays)}, but not {' and '.join(missing)}: write it with "
            "numpy.savez(path, embeddings=..., identities=...)"
        )
    found = Embeddings(path, arrays["embeddings"], arrays["identities"], arrays.get("cameras"))
    _check(found)
    # One type for all files, as some pairs of types can only be compared as fractions.
    cameras = None if found.cameras is None else found.cameras.astype(np.int64)
    return Embeddings(path, found.embeddings, found.identities.astype(np.int64), cameras)


def _arrays(path: Path) -> dict[str, Any]:
    """By name the arrays that are read here; None for the others."""
    if not zipfile.is_zipfile(path):
        raise _UnreadableError("it is no zip archive; numpy.savez writes one, numpy.save does not")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise _UnreadableError("it holds two arrays of one name")
        return {
            name: _array(archive, member) if name in (*NEEDED, *OPTIONAL) else None
            for name, member in zip(names, members, strict=True)
        }


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.file_size > MOST_COMPRESSION * (member.compress_size + 1):
        raise _UnreadableError(
            f"{member.filename} cannot hold the {member.file_size:,} bytes that it announces"
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _UnreadableError(f"{member.filename} is compressed in a way that numpy never uses")
    with archive.open(member) as file:
        held = member.file_size - _announced(file, member.filename)
    if held:
        raise _UnreadableError(f"{member.filename} announces {-held:+,} bytes more than it holds")
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False, max_header_size=LONGEST_HEADER)
        file.read(1)  # The checksum is compared where the member ends.
    found: NDArray[Any] = array
    return found


def _announced(file: IO[bytes], name: str) -> int:
    """Bytes that the header of an array announces, its own included."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file, max_header_size=LONGEST_HEADER)
    if dtype.hasobject:
        raise _UnreadableError(f"{name} holds Python objects, which are never opened: store plain numbers")
    if any(size < 0 for size in shape):
        raise _UnreadableError(f"{name} announces the shape {shape}")
    return file.tell() + math.prod(shape) * dtype.itemsize


def check_cameras(query: Embeddings, gallery: Embeddings) -> None:
    """Refuses cameras in one file only: whether anything is excluded would be a guess.

    Raises:
        UsageError: naming the file without cameras.
    """
    if (query.cameras is None) != (gallery.cameras is None):
        without = query if query.cameras is None else gallery
        raise UsageError(f"{without.path} has no array `cameras`, the other file has: give both or neither")


def _check(found: Embeddings) -> None:
    embeddings, path = found.embeddings, found.path
    if embeddings.ndim != 2 or embeddings.dtype.kind not in "fiub":
        raise UsageError(
            f"{path}: embeddings have shape {embeddings.shape} and type {embeddings.dtype}, expected numbers "
            "of shape (images, size)"
        )
    rows = len(embeddings)
    for name in ("identities", "cameras"):
        array = getattr(found, name)
        if array is not None and array.shape != (rows,):
            raise UsageError(
                f"{path}: {name} have shape {array.shape} for {rows} embeddings, expected ({rows},)"
            )
        if array is not None and array.dtype.kind not in "iu":
            raise UsageError(f"{path}: {name} are of type {array.dtype}: give integers")
        if array is not None and array.dtype.kind == "u" and (array > np.iinfo(np.int64).max).any():
            raise UsageError(f"{path}: {name} have numbers above {np.iinfo(np.int64).max}: give smaller ones")
    if not embeddings.size:
        raise UsageError(f"{path}: embeddings have shape {embeddings.shape}: give at least one of size 1")
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise UsageError(
            f"{path}: {len(bad)} of {rows} embeddings hold NaN or infinite values, the first in row {bad[0]}"
        )
