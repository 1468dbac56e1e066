"""Records, protocols and pixels of a data set: its interface to the rest of the library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Int64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.classification import classification_parts
from cdd.values import Use

EMBEDDED = "embedded"
"""Layout of a data set that ships inside the package."""

Split = Literal["pretraining", "training", "validation", "query", "gallery", "test"]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: path, identity, camera and split."""

    path: str
    identity: int
    camera: int
    split: Split


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Evaluated records of a split and a camera; None means all of them."""

    splits: frozenset[Split] | None = None
    cameras: frozenset[int] | None = None

    def __contains__(self, record: ImageRecord) -> bool:
        in_split = self.splits is None or record.split in self.splits
        return in_split and (self.cameras is None or record.camera in self.cameras)


@dataclass(frozen=True, kw_only=True)
class RetrievalProtocol:
    """Queries, gallery and exclusion rule of an evaluation.

    Attributes:
        excludes_same_camera: whether gallery images of the query's own identity AND camera are
            excluded (VeRi-776, MSMT17) or none (In-Shop).
        ranks: ranks of the cumulative matching characteristic (CMC).
    """

    name: str
    query: Selection
    gallery: Selection
    excludes_same_camera: bool
    ranks: tuple[int, ...] = (1, 5, 10)


class Pixels(Protocol):
    """Images by index, at the size of the recipe."""

    def __call__(self, indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        """The images of these records."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Records, protocols and pixels of one data set at one size, with a digest of its content.

    Attributes:
        layout: name of the layout on disk, for data sets with several.
        remarks: peculiarities of this copy, shown with results.
        held_out: the split that shows other images of the training identities, as in classification;
            None where the test identities are others, as in retrieval.
    """

    name: str
    records: tuple[ImageRecord, ...]
    protocols: tuple[RetrievalProtocol, ...]
    pixels: Pixels
    digest: str
    layout: str = EMBEDDED
    remarks: tuple[str, ...] = ()
    held_out: Split | None = None


CLASSIFICATION: tuple[Use, ...] = ("classification", "classification-tuning")
"""The uses that divide the images of each identity; the others divide the identities."""
TRAINING: dict[Use, set[Split]] = {
    "standard": {"training", "validation"},
    "tuning": {"training"},
    "pretraining": {"pretraining"},
    "classification": {"training", "validation"},
    "classification-tuning": {"training", "validation"},
}
"""Splits of the training images of each use; classification trains on a part of them."""
EVALUATED: dict[Use, set[Split]] = {
    "standard": {"query", "gallery", "test"},
    "tuning": {"validation"},
    "pretraining": {"validation"},
}
"""Splits of the evaluation images of each retrieval use; `division` selects those of classification."""


@dataclass(frozen=True)
class TrainingSet:
    """Indices of the training records and their labels, counted from 0 in the order of identities."""

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def identities(self) -> int:
        """Number of training identities."""
        return int(self.labels.max()) + 1


@dataclass(frozen=True)
class Division:
    """Positions of the training and of the evaluation images of a use; never an image in both."""

    training: NDArray[np.int64]
    evaluated: NDArray[np.int64]


def division(
    identities: Int64[np.ndarray, " images"],
    splits: NDArray[np.str_],
    use: Use,
    held_out: Split | None = None,
) -> Division:
    """Training and evaluation images of a use, from identity and split alone.

    Args:
        held_out: as in `Dataset`.

    Raises:
        ValueError: for classification of an identity with too few images to have one in each part.
    """
    trained = np.isin(splits, list(TRAINING[use]))
    if use not in CLASSIFICATION:
        evaluates = np.isin(splits, list(EVALUATED[use]))
        return Division(np.flatnonzero(trained), np.flatnonzero(evaluates))
    tested = np.zeros_like(trained) if held_out is None else splits == held_out
    classes = np.flatnonzero(trained | tested)
    parts = classification_parts(identities[classes], None if held_out is None else tested[classes])
    if use == "classification-tuning":
        return Division(classes[parts.training], classes[parts.tuning])
    return Division(classes[np.union1d(parts.training, parts.tuning)], classes[parts.held_out])


def training_set(dataset: Dataset, use: Use) -> TrainingSet:
    """The training records of this use.

    Raises:
        ValueError: if there are none, or not enough of an identity to divide them.
    """
    indices = _not_empty(_division(dataset, use).training, dataset, "trains", use)
    _, labels = np.unique(_identities(dataset)[indices], return_inverse=True)
    return TrainingSet(indices, labels.astype(np.int64))


def evaluated(dataset: Dataset, use: Use) -> NDArray[np.int64]:
    """Indices of the evaluation records of this use; never a training record.

    Raises:
        ValueError: if there are none, or not enough of an identity to divide them.
    """
    return _not_empty(_division(dataset, use).evaluated, dataset, "evaluates", use)


def labels_of_evaluated(dataset: Dataset, use: Use) -> NDArray[np.int64]:
    """Labels of the evaluation records of this use, in the training set's numbering.

    Raises:
        ValueError: for a use that evaluates on identities that it does not train on.
    """
    identities, parts = _identities(dataset), _division(dataset, use)
    trained, evaluated_identities = np.unique(identities[parts.training]), identities[evaluated(dataset, use)]
    unlabelled = np.setdiff1d(evaluated_identities, trained)
    if unlabelled.size:
        raise ValueError(
            f"data.use={use} of {dataset.name!r} evaluates on {len(unlabelled)} identities without a label, "
            f"because it does not train on them: use {' or '.join(CLASSIFICATION)}"
        )
    return np.searchsorted(trained, evaluated_identities).astype(np.int64)


def _division(dataset: Dataset, use: Use) -> Division:
    splits = np.array([record.split for record in dataset.records])
    return division(_identities(dataset), splits, use, dataset.held_out)


def _identities(dataset: Dataset) -> NDArray[np.int64]:
    return np.array([record.identity for record in dataset.records], dtype=np.int64)


def _not_empty(indices: NDArray[np.int64], dataset: Dataset, does: str, use: Use) -> NDArray[np.int64]:
    if not indices.size:
        raise ValueError(f"data set {dataset.name!r} has no images that data.use={use} {does} on")
    return indices
