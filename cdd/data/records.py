"""What a data set is to the rest of the library: records, protocols, pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

EMBEDDED = "embedded"
"""Layout of a data set that ships inside the package."""

Split = Literal["pretraining", "training", "validation", "query", "gallery", "test"]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: where its pixels are, whom it shows, which camera took it, what it serves for."""

    path: str
    identity: int
    camera: int
    split: Split


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which of the evaluated records take part, by split and camera; None means all of them."""

    splits: frozenset[Split] | None = None
    cameras: frozenset[int] | None = None

    def __contains__(self, record: ImageRecord) -> bool:
        in_split = self.splits is None or record.split in self.splits
        return in_split and (self.cameras is None or record.camera in self.cameras)


@dataclass(frozen=True, kw_only=True)
class RetrievalProtocol:
    """How queries meet the gallery.

    Attributes:
        excludes_same_camera: whether gallery images of the query's own identity AND camera are
            removed (VeRi-776, MSMT17) or nothing is (In-Shop).
        ranks: where the cumulative matching characteristic is read.
    """

    name: str
    query: Selection
    gallery: Selection
    excludes_same_camera: bool
    ranks: tuple[int, ...] = (1, 5, 10)


class Pixels(Protocol):
    """Gives images at the size that the recipe asks for."""

    def __call__(self, indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        """The images of these records."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Records, protocols and pixels of one data set at one size, with a digest of its content.

    Attributes:
        layout: how the files lie on disk, where there are several ways.
        remarks: what a reader of results must know of this copy.
    """

    name: str
    records: tuple[ImageRecord, ...]
    protocols: tuple[RetrievalProtocol, ...]
    pixels: Pixels
    digest: str
    layout: str = EMBEDDED
    remarks: tuple[str, ...] = ()


Use = Literal["standard", "tuning", "pretraining"]
TRAINING: dict[Use, set[Split]] = {
    "standard": {"training", "validation"},
    "tuning": {"training"},
    "pretraining": {"pretraining"},
}
EVALUATED: dict[Use, set[Split]] = {
    "standard": {"query", "gallery", "test"},
    "tuning": {"validation"},
    "pretraining": {"validation"},
}


@dataclass(frozen=True)
class TrainingSet:
    """Indices of the training records and their labels, counted from 0 in the order of identities."""

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def identities(self) -> int:
        """Number of training identities."""
        return int(self.labels.max()) + 1


def training_set(dataset: Dataset, use: Use) -> TrainingSet:
    """The records that this use trains on.

    Raises:
        ValueError: if there are none.
    """
    indices = _indices(dataset, TRAINING[use])
    identities = np.array([dataset.records[index].identity for index in indices])
    _, labels = np.unique(identities, return_inverse=True)
    return TrainingSet(indices, labels.astype(np.int64))


def evaluated(dataset: Dataset, use: Use) -> NDArray[np.int64]:
    """Indices of the records that this use evaluates on; never one that it trains on."""
    return _indices(dataset, EVALUATED[use])


def _indices(dataset: Dataset, splits: set[Split]) -> NDArray[np.int64]:
    found = [index for index, record in enumerate(dataset.records) if record.split in splits]
    if not found:
        raise ValueError(f"data set {dataset.name!r} has no images in {', '.join(sorted(splits))}")
    return np.array(found, dtype=np.int64)
