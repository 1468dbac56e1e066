"""The data sets by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cdd.data import decoded_cache
from cdd.data.allowed import require_allowed
from cdd.data.arrays import Arrays
from cdd.data.household import household
from cdd.data.image_files import ImageFiles
from cdd.data.listing import Listing
from cdd.data.readers.cifar import cifar10, cifar100
from cdd.data.readers.in_shop import in_shop
from cdd.data.readers.msmt17 import msmt17
from cdd.data.readers.veri776 import veri776
from cdd.data.records import Dataset
from cdd.data.verify import remarks_on_counts
from cdd.errors import DataError
from cdd.recipe import Data

EMBEDDED = {"household": household}
REAL: dict[str, Callable[[Path, Data], Listing]] = {"veri776": veri776, "msmt17": msmt17, "in-shop": in_shop}
ARRAYS: dict[str, Callable[[Path], Arrays]] = {"cifar10": cifar10, "cifar100": cifar100}


def load(data: Data, data_root: Path | None = None) -> Dataset:
    """The data set that a recipe names, at the recipe's image size.

    Raises:
        ValueError: for an unknown name, or a use that the data set does not allow.
        DataError: where a real data set is not below `data_root`, or not complete.
    """
    require_allowed(data)
    if data.name in EMBEDDED:
        return EMBEDDED[data.name](data.height, data.width)
    if data.name in ARRAYS:
        return _of_arrays(stored(data.name, data_root), data)
    listing, root = listed(data, data_root), _given(data.name, data_root)
    paths = tuple(record.path for record in listing.records)
    return Dataset(
        name=listing.name,
        records=listing.records,
        protocols=listing.protocols,
        pixels=decoded_cache.read(data, root, listing)
        or ImageFiles(listing.name, listing.folder, paths, data.height, data.width),
        digest=listing.digest,
        layout=listing.layout,
        remarks=listing.remarks,
    )


def _of_arrays(arrays: Arrays, data: Data) -> Dataset:
    return Dataset(
        name=arrays.name,
        records=arrays.records,
        protocols=(),
        pixels=arrays.pixels(data.height, data.width),
        digest=arrays.digest,
        layout=arrays.layout,
        remarks=arrays.remarks,
        held_out="test",
    )


def stored(name: str, data_root: Path | None) -> Arrays:
    """The images of a data set that is read at once, at their own size.

    Raises:
        DataError: where the data set is not below `data_root`, or not complete.
    """
    arrays = ARRAYS[name](_given(name, data_root))
    return replace(arrays, remarks=(*arrays.remarks, *remarks_on_counts(arrays)))


def listed(data: Data, data_root: Path | None) -> Listing:
    """The images of a real data set, without their pixels.

    Raises:
        ValueError: for an unknown name, or a data set without image files.
        DataError: where the data set is not below `data_root`, or not complete.
    """
    if data.name in ARRAYS:
        raise ValueError(
            f"{data.name} has no image files: it is read at once, so there is nothing to prepare"
        )
    if data.name not in REAL:
        known = ", ".join((*EMBEDDED, *REAL, *ARRAYS))
        raise ValueError(f"unknown data set {data.name!r}: choose one of {known}")
    listing = REAL[data.name](_given(data.name, data_root), data)
    return replace(listing, remarks=(*listing.remarks, *remarks_on_counts(listing)))


def _given(name: str, data_root: Path | None) -> Path:
    if data_root is None:
        raise DataError(f"{name} does not ship with this package: say where it is with --data-root DIR")
    return data_root
