"""Pixels of images on disk."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cdd.data.colour import UnreadableImageError, in_colour
from cdd.errors import DataError


@dataclass(frozen=True)
class ImageFiles:
    """Images by number, decoded on demand by several threads, since Pillow releases the lock.

    Attributes:
        name: of the data set, for messages.
        paths: relative to the folder.
    """

    name: str
    folder: Path
    paths: tuple[str, ...]
    height: int
    width: int

    def __call__(self, indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        """The images of these numbers.

        Raises:
            DataError: naming the file that cannot be read.
        """
        images = list(self._readers.map(self._read, np.asarray(indices).tolist()))
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)

    @cached_property
    def _readers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")

    def _read(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        try:
            return decoded(self.folder / self.paths[index], self.height, self.width)
        except UnreadableImageError as error:
            raise DataError(
                f"{error}; python -m reproduce data verify {self.name} --data-root DIR finds all such files."
            ) from error


def decoded(path: Path, height: int, width: int) -> UInt8[np.ndarray, "height width 3"]:
    """One image in colour, whatever it is stored as, resized with Pillow's bilinear filter.

    Raises:
        UnreadableImageError: if the file is damaged or no image that can be converted.
    """
    return np.asarray(in_colour(path).resize((width, height), Image.Resampling.BILINEAR))
