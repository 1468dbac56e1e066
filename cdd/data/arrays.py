"""Data sets whose images, all of one size, are stored as one array."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cdd.data.records import ImageRecord, Pixels, Split


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayPart:
    """The images of one split and their classes, in the order of the files."""

    images: UInt8[np.ndarray, "images height width 3"]
    classes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrays:
    """Images, classes and remarks of a data set in memory.

    Attributes:
        folder: folder of the files.
        altered: the files whose content differs from the published one.
        remarks: peculiarities of this copy, shown with results.
    """

    name: str
    folder: Path
    layout: str
    parts: dict[Split, ArrayPart]
    altered: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @cached_property
    def records(self) -> tuple[ImageRecord, ...]:
        """One record per image; there are no cameras. Paths are like `cifar100/train#17`."""
        return tuple(
            ImageRecord(f"{self.name}/{'train' if split == 'training' else split}#{place}", label, 0, split)
            for split, part in self.parts.items()
            for place, label in enumerate(part.classes)
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of every pixel and class, split by split."""
        digest = hashlib.sha256()
        for split, part in self.parts.items():
            digest.update(f"{split}\t{part.images.shape}\t{part.classes}\n".encode())
            digest.update(part.images.tobytes())
        return digest.hexdigest()

    def pixels(self, height: int, width: int) -> Pixels:
        """Images by number, resized with Pillow's bilinear filter if they have another size."""
        images = np.concatenate([part.images for part in self.parts.values()])

        def select(indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
            batch = images[np.asarray(indices, dtype=np.int64)]
            if batch.shape[1:3] != (height, width):
                batch = np.stack([_resized(image, height, width) for image in batch])
            return torch.from_numpy(batch).permute(0, 3, 1, 2)

        return select


def _resized(
    image: UInt8[np.ndarray, "_ _ 3"], height: int, width: int
) -> UInt8[np.ndarray, "height width 3"]:
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
