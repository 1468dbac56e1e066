"""Fixed split of every class into training, tuning and held-out images."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64
from numpy.typing import NDArray

SHARE = 5
"""One image in this number of images of a class is set aside."""


@dataclass(frozen=True)
class Parts:
    """Positions of the images of each part, ascending; together all images, none of them twice.

    Attributes:
        training: training images of a tuning run.
        tuning: evaluation images of a tuning run; training images of the final run.
        held_out: evaluation images of the final run only.
    """

    training: NDArray[np.int64]
    tuning: NDArray[np.int64]
    held_out: NDArray[np.int64]


def classification_parts(
    labels: Int64[np.ndarray, " images"], tested: Bool[np.ndarray, " images"] | None = None
) -> Parts:
    """One image in five of every class held out, and one in five of the others for tuning.

    Args:
        labels: class of every image, any numbering.
        tested: the images that the data set itself holds out; None where it holds out none.

    Raises:
        ValueError: for a class with too few images to have one in each part.
    """
    held_out = one_in_five(labels) if tested is None else tested
    others = np.flatnonzero(~held_out)
    tuned = one_in_five(labels[others])
    return Parts(others[~tuned], others[tuned], np.flatnonzero(held_out))


def one_in_five(labels: Int64[np.ndarray, " images"]) -> Bool[np.ndarray, " images"]:
    """True for every fifth image of each class, in the order given, and for one of a smaller class.

    The first class begins with its first image, the next one with its second, and so on: where every
    class has the same cameras and views in the same order, all of them are among the chosen.

    Raises:
        ValueError: for a class of one image.
    """
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.size and counts.min() < 2:
        raise ValueError(
            f"{int((counts < 2).sum())} of {len(counts)} classes have a single image left, which cannot be "
            "learned from and set aside: use a data set with three or more images of every class"
        )
    begin = np.arange(len(counts)) % np.minimum(counts, SHARE)
    chosen: Bool[np.ndarray, " images"] = _places(classes, counts) % SHARE == begin[classes]
    return chosen


def _places(classes: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of earlier images of the same class, for each image."""
    order = np.argsort(classes, kind="stable")
    places = np.empty(len(classes), dtype=np.int64)
    places[order] = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places
