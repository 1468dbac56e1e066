"""CIFAR-10 and CIFAR-100: 60,000 photographs of 32x32 pixels, read by torchvision from their python version.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cdd.data.arrays import ArrayPart, Arrays
from cdd.data.listing import candidates, not_found
from cdd.errors import DataError
from cdd.torchvision_guard import install

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar.html"
LAYOUT = "python version"
UNREADABLE = (
    *(AttributeError, EOFError, ImportError, IndexError, KeyError, MemoryError, OSError, OverflowError),
    *(RuntimeError, TypeError, ValueError, pickle.UnpicklingError),
)
"""What unpickling a damaged file raises, and torchvision for one that holds something else."""


@dataclass(frozen=True)
class _Kind:
    """One of the two data sets: its names, and torchvision's class that reads it."""

    name: str
    title: str
    folders: tuple[str, ...]
    reader: "type[CIFAR10]"

    @property
    def sums(self) -> dict[str, str]:
        """MD5 of every file, as published."""
        reader = self.reader
        return {**dict([*reader.train_list, *reader.test_list]), reader.meta["filename"]: reader.meta["md5"]}


def cifar10(root: Path) -> Arrays:
    """The images below this data root, of ten classes.

    Raises:
        DataError: if the data set is not there, not complete, or cannot be read.
    """
    install()
    from torchvision.datasets import CIFAR10

    return _read(_Kind("cifar10", "CIFAR-10", ("cifar10", "cifar-10", "cifar_10", "cifar"), CIFAR10), root)


def cifar100(root: Path) -> Arrays:
    """The images below this data root, of one hundred classes.

    Raises:
        DataError: if the data set is not there, not complete, or cannot be read.
    """
    install()
    from torchvision.datasets import CIFAR100

    folders = ("cifar100", "cifar-100", "cifar_100", "cifar")
    return _read(_Kind("cifar100", "CIFAR-100", folders, CIFAR100), root)


def _read(kind: _Kind, root: Path) -> Arrays:
    from torchvision.datasets.utils import check_integrity

    folder = _folder(kind, root)
    reader = _without_sums(kind.reader, folder.name)
    try:
        training, test = (
            _part(reader(folder.parent, train=train, download=False)) for train in (True, False)
        )
    except UNREADABLE as error:
        raise DataError(
            f"{kind.title} in {folder} cannot be read: {error!r}. {_remedy(kind, folder.parent)} again"
        ) from error
    altered = tuple(name for name, known in kind.sums.items() if not check_integrity(folder / name, known))
    return Arrays(
        name=kind.name,
        folder=folder,
        layout=LAYOUT,
        parts={"training": training, "test": test},
        altered=altered,
        remarks=(f"MD5 differs from the published: {', '.join(altered)}",) if altered else (),
    )


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


def _without_sums(reader: "type[CIFAR10]", folder: str) -> "type[CIFAR10]":
    """Torchvision's class for a folder of this name, whatever its files' MD5."""
    # Without a sum torchvision asks only that the file exists: a copy with other bytes is worth a remark,
    # and small trees of the same format can be read.
    return type(
        reader.__name__,
        (reader,),
        {
            "base_folder": folder,
            "train_list": [[name, None] for name, _ in reader.train_list],
            "test_list": [[name, None] for name, _ in reader.test_list],
            "meta": {**reader.meta, "md5": None},
        },
    )


def _part(found: "CIFAR10") -> ArrayPart:
    images, classes = np.asarray(found.data), tuple(int(target) for target in found.targets)
    if images.dtype != np.uint8 or len(images) != len(classes):
        raise ValueError(f"{len(images)} images of {images.dtype} have {len(classes)} labels")
    return ArrayPart(images=images, classes=classes)
