"""Cache of a decoded data set: a memory-mapped file of pixels and an index.

The caches are in the folder `.cdd` of the data root, one folder for each data set and image size. The index
records size and time of each source image, and a digest of its pixels.
"""

import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.dataset_facts import real_dataset
from cdd.data.image_files import ImageFiles
from cdd.data.image_list import ImageList, first_of
from cdd.data.records import Pixels
from cdd.errors import DataError

if TYPE_CHECKING:
    from cdd.recipe import Data


FOLDER, INDEX, PIXELS = ".cdd", "index.json", "pixels.npy"
FORMAT = 2
"""Version of the cache, increased when its content for the same data set changes."""
IMAGES_AT_ONCE = 256

Report = Callable[[int, int], None]
"""Callback with the number of finished images and of all images."""
Stamps = list[tuple[str, tuple[int, ...]]]
"""Size in bytes and time of the last change in nanoseconds of every image that is used."""


def prepare(
    data: "Data", data_root: Path, listing: ImageList, report: Report = lambda done, total: None
) -> Path:
    """Decodes every image at the recipe's size and writes index and pixels atomically.

    Returns:
        The folder that holds them.

    Raises:
        DataError: if an image cannot be read, the space does not suffice, nothing can be written or
            another process is preparing the same.
    """
    folder = _folder(data, data_root)
    try:
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0):
            _write(folder, data, listing, report)
    except Timeout as error:
        raise DataError(f"another process is preparing {folder}: wait for it") from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror or error}. Prepared images are kept in the data "
            "root: make it writable, use a folder of your own with links to the data as data root, or go "
            "without; training decodes as it goes."
        ) from error
    return folder


def disk_need(data: "Data", images: int) -> int:
    """Bytes of a cache of this many images."""
    return images * 3 * data.height * data.width


def read(data: "Data", data_root: Path, listing: ImageList) -> Pixels | None:
    """The cached pixels of these images; None if they are not cached at this size.

    Reads size and time of every image file: on a local disk about half a second for 100,000.

    Raises:
        DataError: if the images have changed since, or what was prepared is damaged. Pixels are compared
            with their digest whenever they are asked for.
    """
    folder, again = _folder(data, data_root), _again(data, data_root)
    if not (folder / INDEX).is_file():
        return None
    shape, now = (len(listing.records), 3, data.height, data.width), _stamps(listing)
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise DataError(f"what is in {folder} was prepared by another version of this program. {again}")
        then, digests = [(path, tuple(stamp)) for path, *stamp in index["images"]], tuple(index["digests"])
        if then == now and index["listing"] == listing.digest and len(digests) == len(now):
            return _Prepared(folder, _mapped(folder / PIXELS, shape), digests, again)
        changed = sorted({path for path, _ in {*then} ^ {*now}})
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise DataError(f"what was prepared in {folder} is damaged: {error}. {again}") from error
    what = f"{len(changed)} images, {first_of(changed)}" if changed else "its identities or their order"
    raise DataError(f"{data.name} in {listing.folder} has changed since it was prepared: {what}. {again}")


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Images by number from the cache file, each checked against its digest."""

    folder: Path
    images: UInt8[np.ndarray, "images 3 height width"]
    digests: tuple[str, ...]
    again: str

    def __call__(self, indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        positions = np.asarray(indices, dtype=np.int64)
        batch = self.images[positions]
        damaged = [
            index
            for index, image in zip(positions, batch, strict=True)
            if _digest(image) != self.digests[index]
        ]
        if damaged:
            raise DataError(
                f"what was prepared in {self.folder} is damaged: {len(damaged)} of {len(batch)} images are "
                f"not those that were written. {self.again}"
            )
        return torch.from_numpy(batch)


def _folder(data: "Data", data_root: Path) -> Path:
    own = real_dataset(data.name).settings_of(data).values()
    return data_root / FOLDER / "-".join((data.name, *own, f"{data.height}x{data.width}"))


def _again(data: "Data", data_root: Path) -> str:
    own = real_dataset(data.name).settings_of(data).items()
    options = "".join(f" --{name.replace('_', '-')} {value}" for name, value in own)
    return (
        f"Prepare it again: python -m reproduce data prepare {data.name} --data-root {quote(str(data_root))} "
        f"--image-size {data.height}x{data.width}{options}"
    )


def _write(folder: Path, data: "Data", listing: ImageList, report: Report) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        _require_space(partial, disk_need(data, len(listing.records)))
        # Before the pixels: what changes while they are decoded is noticed when they are read.
        images = [(path, *stamp) for path, stamp in _stamps(listing)]
        digests = _write_pixels(partial / PIXELS, data, listing, report)
        index = {"format": FORMAT, "listing": listing.digest, "images": images, "digests": digests}
        (partial / INDEX).write_text(json.dumps(index), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"prepared images need {needed / 1e9:.1f} GB in {folder.parent}, {free / 1e9:.1f} GB are free: "
            "make room, or go without; training decodes as it goes."
        )


def _write_pixels(path: Path, data: "Data", listing: ImageList, report: Report) -> list[str]:
    """Digests of the images, after they have been written."""
    paths = tuple(record.path for record in listing.records)
    files = ImageFiles(listing.name, listing.folder, paths, data.height, data.width)
    digests: list[str] = []
    # Not through a memory map, where a full disk ends the process instead of raising an error.
    with path.open("wb") as stored:
        stored.write(_head((len(paths), 3, data.height, data.width)))
        for start in range(0, len(paths), IMAGES_AT_ONCE):
            chosen = range(start, min(start + IMAGES_AT_ONCE, len(paths)))
            images = np.ascontiguousarray(files(chosen).numpy())
            stored.write(images.tobytes())
            digests += [_digest(image) for image in images]
            report(chosen.stop, len(paths))
        stored.flush()
        os.fsync(stored.fileno())
    return digests


def _digest(image: UInt8[np.ndarray, "3 height width"]) -> str:
    """Truncated SHA-256 of an image, long enough to detect accidental damage."""
    return hashlib.sha256(image.data).hexdigest()[:16]


def _head(shape: tuple[int, ...]) -> bytes:
    """Header of a NumPy file with this number of bytes."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return head.getvalue()


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    head = _head(shape)
    with path.open("rb") as stored:
        begun = stored.read(len(head))
    if begun != head or path.stat().st_size != len(head) + math.prod(shape):
        raise ValueError(f"{path.name} does not hold {shape} bytes")
    return np.memmap(path, np.uint8, "r", len(head), shape)


def _stamps(listing: ImageList) -> Stamps:
    folder = str(listing.folder)
    return [(record.path, _stamp(f"{folder}/{record.path}")) for record in listing.records]


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0  # No image is empty: decoding it says what is wrong.
    return status.st_size, status.st_mtime_ns
