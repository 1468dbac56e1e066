"""Small copies of CIFAR-10 and CIFAR-100 in the format of their python versions."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
FILES = {
    "cifar10": (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"),
    "cifar100": ("train", "test", "meta"),
}
CLASSES = {"cifar10": 10, "cifar100": 100}


class Python2Pickler(pickle._Pickler):
    """Writes strings as the archives have them, from a Python whose strings were bytes."""

    write: Callable[[bytes], object]
    memoize: Callable[[object], None]
    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_byte_string(self, text: str | bytes) -> None:
        content = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = save_byte_string


class Part(NamedTuple):
    """Images (height, width, channel) of one split and their classes, in the order of the files."""

    images: NDArray[np.uint8]
    classes: list[int]


class Tree(NamedTuple):
    folder: Path
    training: Part
    test: Part


def cifar(name: str, root: Path, *, training_each: int = 10, test_each: int = 2) -> Tree:
    """Writes a data set whose classes have a colour each; every class has so many images of each split."""
    folder = root / FOLDERS[name]
    folder.mkdir(parents=True)
    training, test = (part(name, split, each) for split, each in enumerate((training_each, test_each)))
    if name == "cifar10":
        for number, chosen in enumerate(np.array_split(np.arange(len(training.classes)), 5), 1):
            batch = Part(training.images[chosen], [training.classes[index] for index in chosen])
            write(folder / f"data_batch_{number}", stored(batch, "labels"))
        write(folder / "test_batch", stored(test, "labels"))
        write(folder / "batches.meta", {"label_names": names(10), "num_cases_per_batch": 20, "num_vis": 3072})
    else:
        for file, found in (("train", training), ("test", test)):
            coarse = [label // 5 for label in found.classes]
            write(folder / file, {**stored(found, "fine_labels"), "coarse_labels": coarse})
        write(folder / "meta", {"fine_label_names": names(100), "coarse_label_names": names(20)})
    return Tree(folder, training, test)


def part(name: str, split: int, each: int) -> Part:
    generator = np.random.default_rng([CLASSES[name], split])
    colours = np.random.default_rng(CLASSES[name]).integers(30, 226, (CLASSES[name], 1, 1, 3))
    classes = generator.permutation(np.repeat(np.arange(CLASSES[name]), each))
    noise = generator.integers(-30, 31, (len(classes), 32, 32, 3))
    return Part((colours[classes] + noise).astype(np.uint8), classes.tolist())


def stored(found: Part, key: str) -> dict[str, object]:
    """What a batch file holds: 1,024 red values of an image, then the green and the blue ones, row by row."""
    rows = found.images.transpose(0, 3, 1, 2).reshape(len(found.images), 3072)
    files = [f"image_{index}.png" for index in range(len(rows))]
    return {"batch_label": "batch", key: found.classes, "data": rows, "filenames": files}


def write(path: Path, content: dict[str, object]) -> None:
    with path.open("wb") as file:
        Python2Pickler(file, protocol=2).dump(content)


def names(count: int) -> list[str]:
    return [f"class {index}" for index in range(count)]
