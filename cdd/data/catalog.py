"""The data sets by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cdd.data import prepared
from cdd.data.household import household
from cdd.data.image_files import ImageFiles
from cdd.data.in_shop import in_shop
from cdd.data.listing import Listing
from cdd.data.msmt17 import msmt17
from cdd.data.records import Dataset
from cdd.data.veri776 import veri776
from cdd.data.verify import remarks_on_counts
from cdd.errors import DataError
from cdd.recipe import Data

EMBEDDED = {"household": household}
REAL: dict[str, Callable[[Path, Data], Listing]] = {"veri776": veri776, "msmt17": msmt17, "in-shop": in_shop}


def load(data: Data, data_root: Path | None = None) -> Dataset:
    """The data set that a recipe names, at the recipe's image size.

    Raises:
        ValueError: for an unknown name.
        DataError: where a real data set is not below `data_root`, or not complete.
    """
    if data.name in EMBEDDED:
        return EMBEDDED[data.name](data.height, data.width)
    if data_root is not None and (found := prepared.read(data, data_root)):
        return found
    listing = listed(data, data_root)
    paths = tuple(record.path for record in listing.records)
    return Dataset(
        name=listing.name,
        records=listing.records,
        protocols=listing.protocols,
        pixels=ImageFiles(listing.name, listing.folder, paths, data.height, data.width),
        digest=listing.digest,
        layout=listing.layout,
        remarks=listing.remarks,
    )


def listed(data: Data, data_root: Path | None) -> Listing:
    """The images of a real data set, without their pixels.

    Raises:
        ValueError: for an unknown name.
        DataError: where the data set is not below `data_root`, or not complete.
    """
    if data.name not in REAL:
        raise ValueError(f"unknown data set {data.name!r}: choose one of {', '.join((*EMBEDDED, *REAL))}")
    if data_root is None:
        raise DataError(f"{data.name} does not ship with this package: say where it is with --data-root DIR")
    listing = REAL[data.name](data_root, data)
    return replace(listing, remarks=(*listing.remarks, *remarks_on_counts(listing)))
