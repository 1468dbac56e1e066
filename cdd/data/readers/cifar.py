"""CIFAR-10 and CIFAR-100: 60,000 photographs of 32x32 pixels, from their python version.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cdd.data.arrays import ArrayPart, Arrays
from cdd.data.dataset_facts import Count, DatasetSpec
from cdd.data.image_list import candidates, not_found
from cdd.data.readers.plain_pickle import plain
from cdd.errors import DataError
from cdd.recipe import Data
from cdd.torchvision_guard import install

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10  # noqa: PLC0415  (behind its guard)

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar.html"
LAYOUT = "python version"
Found = TypeVar("Found")


@dataclass(frozen=True)
class _Kind:
    """One of the two data sets: its names, and torchvision's class, which knows its files and their sums."""

    name: str
    title: str
    folders: tuple[str, ...]
    reader: "type[CIFAR10]"

    @property
    def sums(self) -> dict[str, str]:
        """MD5 of every file, as published."""
        reader = self.reader
        return {**dict([*reader.train_list, *reader.test_list]), reader.meta["filename"]: reader.meta["md5"]}


def cifar10(root: Path, data: Data) -> Arrays:
    """The images below this data root, of ten classes.

    Raises:
        DataError: if the data set is not there, not complete, or cannot be read.
    """
    install()
    from torchvision.datasets import CIFAR10  # noqa: PLC0415  (behind its guard)

    return _read(_Kind("cifar10", "CIFAR-10", ("cifar10", "cifar-10", "cifar_10", "cifar"), CIFAR10), root)


def cifar100(root: Path, data: Data) -> Arrays:
    """The images below this data root, of one hundred classes.

    Raises:
        DataError: if the data set is not there, not complete, or cannot be read.
    """
    install()
    from torchvision.datasets import CIFAR100  # noqa: PLC0415  (behind its guard)

    folders = ("cifar100", "cifar-100", "cifar_100", "cifar")
    return _read(_Kind("cifar100", "CIFAR-100", folders, CIFAR100), root)


def _read(kind: _Kind, root: Path) -> Arrays:
    folder = _folder(kind, root)
    # Before anything is read. A copy with other bytes is worth a remark: small trees can be read as well.
    altered = _altered(kind, folder)
    meta = kind.reader.meta
    classes = _of_file(kind, folder, meta["filename"], lambda content: len(content[meta["key"]]))

    def part(names: Iterable[str]) -> ArrayPart:
        found = [_of_file(kind, folder, name, lambda content: _part(content, classes)) for name in names]
        images = np.concatenate([part.images for part in found])
        return ArrayPart(images=images, classes=tuple(label for part in found for label in part.classes))

    return Arrays(
        name=kind.name,
        folder=folder,
        layout=LAYOUT,
        parts={
            "training": part(name for name, _ in kind.reader.train_list),
            "test": part(name for name, _ in kind.reader.test_list),
        },
        altered=altered,
        remarks=(f"MD5 differs from the published: {', '.join(altered)}",) if altered else (),
    )


def _altered(kind: _Kind, folder: Path) -> tuple[str, ...]:
    """The files whose content is not the published one."""
    from torchvision.datasets.utils import check_integrity  # noqa: PLC0415  (behind its guard)

    try:
        return tuple(name for name, known in kind.sums.items() if not check_integrity(folder / name, known))
    except OSError as error:
        raise DataError(f"{kind.title} in {folder} cannot be read: {error}") from error


def _of_file(kind: _Kind, folder: Path, name: str, use: Callable[[Any], Found]) -> Found:
    """What is made of a file's content.

    Raises:
        DataError: for whatever is wrong with it.
    """
    try:
        return use(plain((folder / name).read_bytes()))
    # Reading a damaged pickle raises nearly anything, and so does looking for a batch in something else.
    except Exception as error:
        raise DataError(
            f"{kind.title} in {folder} cannot be read: {name}: {error!r}. "
            f"{_remedy(kind, folder.parent)} again"
        ) from error


def _folder(kind: _Kind, root: Path) -> Path:
    """The folder that has all the files: the archive's, in the data root or in a folder of its name there."""
    base: str = kind.reader.base_folder
    files = tuple(kind.sums)
    parents = candidates(root, kind.folders)
    for folder in (*(parent / base for parent in parents), *parents):
        if all((folder / name).is_file() for name in files):
            return folder
    begun = [parent / base for parent in parents if (parent / base).is_dir()]
    begun += [root] if root.name == base and root.is_dir() else []
    if begun:
        lacking = [name for name in files if not (begun[0] / name).is_file()]
        raise DataError(
            f"{kind.title} in {begun[0]} is not complete: of its files {', '.join(files)} it lacks "
            f"{', '.join(lacking)}. {_remedy(kind, begun[0].parent)}"
        )
    wanted = {LAYOUT: tuple(f"{base}/{name}" for name in files)}
    raise not_found(
        kind.title,
        parents[:1],
        wanted,
        f"{ADDRESS}. Nothing is downloaded: unpack {kind.reader.filename} there",
    )


def _remedy(kind: _Kind, where: Path) -> str:
    return f"Nothing is downloaded: unpack {kind.reader.filename} of {ADDRESS} in {where}"


def _part(content: dict[str, Any], classes: int) -> ArrayPart:
    """The images of a batch: 1,024 red values of each, then the green and the blue ones, row by row."""
    rows = content["data"]
    labels = content["labels"] if "labels" in content else content["fine_labels"]
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape != (len(labels), 3 * 32 * 32):
        raise ValueError(f"expected {len(labels)} rows of 3072 bytes, as many as labels, got {_said(rows)}")
    wrong = [label for label in labels if not _is_number(label) or not 0 <= label < classes]
    if wrong:
        raise ValueError(f"expected labels from 0 to {classes - 1}, got {wrong[0]!r:.40}")
    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return ArrayPart(images=np.ascontiguousarray(images), classes=tuple(map(int, labels)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _said(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, {value.shape}"
    return f"a {type(value).__name__}"


CIFAR10_DATASET = DatasetSpec(
    name="cifar10",
    title="CIFAR-10",
    reader=cifar10,
    splits={"training": (Count(50_000, 10),), "test": (Count(10_000, 10),)},
    task="classification",
    is_array=True,
)
CIFAR100_DATASET = DatasetSpec(
    name="cifar100",
    title="CIFAR-100",
    reader=cifar100,
    splits={"training": (Count(50_000, 100),), "test": (Count(10_000, 100),)},
    task="classification",
    is_array=True,
)
