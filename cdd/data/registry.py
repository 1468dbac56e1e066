"""The data sets by name."""

from dataclasses import replace
from pathlib import Path

from cdd.data import decoded_cache
from cdd.data.arrays import Arrays
from cdd.data.dataset_facts import real_dataset
from cdd.data.embedded import load_embedded
from cdd.data.image_files import ImageFiles
from cdd.data.image_list import ImageList
from cdd.data.records import Dataset, Pixels
from cdd.data.verify import remarks_on_counts
from cdd.errors import DataError
from cdd.recipe import Data


def load(data: Data, data_root: Path | None = None) -> Dataset:
    """The data set that a recipe names, at the recipe's image size.

    Raises:
        ValueError: for an unknown name, or a use that the data set does not allow.
        DataError: where a real data set is not below `data_root`, or not complete.
    """
    if embedded := load_embedded(data):
        return embedded
    spec = real_dataset(data.name)
    spec.require_use(data.use)
    copy = read_copy(data, data_root)
    return Dataset(
        name=spec.name,
        records=copy.records,
        protocols=spec.protocols,
        pixels=_pixels(copy, data, _given(data.name, data_root)),
        digest=copy.digest,
        layout=copy.layout,
        remarks=copy.remarks,
        held_out=spec.held_out,
    )


def _pixels(copy: ImageList | Arrays, data: Data, root: Path) -> Pixels:
    if isinstance(copy, Arrays):
        return copy.pixels(data.height, data.width)
    paths = tuple(record.path for record in copy.records)
    return decoded_cache.read(data, root, copy) or ImageFiles(
        copy.name, copy.folder, paths, data.height, data.width
    )


def read_copy(data: Data, data_root: Path | None) -> ImageList | Arrays:
    """What the reader of a real data set finds: the list of its files, or all its images as arrays.

    Raises:
        ValueError: for an unknown name.
        DataError: where the data set is not below `data_root`, or not complete.
    """
    copy = real_dataset(data.name).reader(_given(data.name, data_root), data)
    return replace(copy, remarks=(*copy.remarks, *remarks_on_counts(copy)))


def listed(data: Data, data_root: Path | None) -> ImageList:
    """The images of a real data set, without their pixels.

    Raises:
        ValueError: for an unknown name, or a data set without image files.
        DataError: where the data set is not below `data_root`, or not complete.
    """
    copy = None if real_dataset(data.name).is_array else read_copy(data, data_root)
    if not isinstance(copy, ImageList):
        raise ValueError(
            f"{data.name} has no image files: it is read at once, so there is nothing to prepare"
        )
    return copy


def _given(name: str, data_root: Path | None) -> Path:
    if data_root is None:
        raise DataError(f"{name} does not ship with this package: say where it is with --data-root DIR")
    return data_root
