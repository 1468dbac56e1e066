"""A data set decoded once: an index and a memory-mapped file of pixels, so that the next start reads neither.

They lie in the folder `.cdd` of the data root, one folder for each data set and image size.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.image_files import ImageFiles
from cdd.data.listing import Listing
from cdd.data.records import Dataset, ImageRecord, RetrievalProtocol, Selection
from cdd.errors import DataError
from cdd.recipe import Data

FOLDER, INDEX, PIXELS = ".cdd", "index.json", "pixels.npy"
FORMAT = 1
"""Rises whenever the readers or this file would write something else for the same data set."""
IMAGES_AT_ONCE = 256

Report = Callable[[int, int], None]
"""Is told how many images of how many are done."""


def prepare(data: Data, data_root: Path, listing: Listing, report: Report = lambda done, total: None) -> Path:
    """Decodes every image at the recipe's size and writes index and pixels, complete or not at all.

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
            _write(folder, data, data_root, listing, report)
    except Timeout as error:
        raise DataError(f"another process is preparing {folder}: wait for it") from error
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror or error}. Prepared images are kept in the data "
            "root: make it writable, use a folder of your own with links to the data as data root, or go "
            "without; training decodes as it goes."
        ) from error
    return folder


def disk_need(data: Data, images: int) -> int:
    """Bytes that so many prepared images take."""
    return images * 3 * data.height * data.width


def read(data: Data, data_root: Path) -> Dataset | None:
    """The prepared data set; None where it was not prepared at this size.

    Raises:
        DataError: if the data set has changed since, or what was prepared is damaged.
    """
    folder = _folder(data, data_root)
    if not (folder / INDEX).is_file():
        return None
    again = f"Prepare it again: python -m reproduce data prepare {data.name} --data-root {data_root}"
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        images = np.load(folder / PIXELS, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"what was prepared in {folder} is damaged: {error}. {again}") from error
    if index.get("format") != FORMAT:
        raise DataError(f"what is in {folder} was prepared by another version of this program. {again}")
    source = data_root / index["folder"]
    if _stamps(source, list(index["stamps"])) != index["stamps"]:
        raise DataError(f"{data.name} in {source} has changed since it was prepared. {again}")

    def pixels(indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        return torch.from_numpy(images[np.asarray(indices)])

    return Dataset(
        name=data.name,
        records=tuple(ImageRecord(*record) for record in index["records"]),
        protocols=tuple(_protocol(values) for values in index["protocols"]),
        pixels=pixels,
        digest=index["digest"],
        layout=index["layout"],
        remarks=tuple(index["remarks"]),
    )


def _folder(data: Data, data_root: Path) -> Path:
    lists = f"-{data.msmt17_lists}" if data.name == "msmt17" else ""
    return data_root / FOLDER / f"{data.name}{lists}-{data.height}x{data.width}"


def _write(folder: Path, data: Data, data_root: Path, listing: Listing, report: Report) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        _require_space(partial, disk_need(data, len(listing.records)))
        # Before the pixels: what changes while they are decoded is noticed when they are read.
        (partial / INDEX).write_text(json.dumps(_index(listing, data_root)), encoding="utf-8")
        _write_pixels(partial / PIXELS, data, listing, report)
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


def _write_pixels(path: Path, data: Data, listing: Listing, report: Report) -> None:
    paths = tuple(record.path for record in listing.records)
    files = ImageFiles(listing.name, listing.folder, paths, data.height, data.width)
    shape = (len(paths), 3, data.height, data.width)
    # Not through a memory map, where a full disk ends the process instead of raising an error.
    with path.open("wb") as stored:
        head = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stored, head)
        for start in range(0, len(paths), IMAGES_AT_ONCE):
            chosen = range(start, min(start + IMAGES_AT_ONCE, len(paths)))
            stored.write(files(chosen).numpy().tobytes())
            report(chosen.stop, len(paths))
        stored.flush()
        os.fsync(stored.fileno())


def _index(listing: Listing, data_root: Path) -> dict[str, Any]:
    parents = {record.path.rpartition("/")[0] for record in listing.records}
    return {
        "format": FORMAT,
        # A data root may be mounted or copied somewhere else.
        "folder": listing.folder.relative_to(data_root).as_posix(),
        "stamps": _stamps(listing.folder, sorted({*parents, *listing.sources})),
        "layout": listing.layout,
        "remarks": list(listing.remarks),
        "digest": listing.digest,
        "protocols": [_plain(protocol) for protocol in listing.protocols],
        "records": [[r.path, r.identity, r.camera, r.split] for r in listing.records],
    }


def _stamps(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """When each folder of images and each list was last changed."""
    return {name: (folder / name).stat().st_mtime_ns if (folder / name).exists() else 0 for name in names}


def _plain(protocol: RetrievalProtocol) -> dict[str, Any]:
    values = asdict(protocol)
    for side in ("query", "gallery"):
        values[side] = {k: None if v is None else sorted(v) for k, v in values[side].items()}
    return values


def _protocol(values: dict[str, Any]) -> RetrievalProtocol:
    sides = {
        side: Selection(**{k: None if v is None else frozenset(v) for k, v in values[side].items()})
        for side in ("query", "gallery")
    }
    return RetrievalProtocol(**{**values, **sides, "ranks": tuple(values["ranks"])})
