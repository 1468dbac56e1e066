"""Batches of an epoch: P identities with K images of each, or any images."""

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from cdd.recipe import Batch, RandomBatch


def identity_batches(
    labels: Int64[np.ndarray, " images"], batch: Batch, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Positions of one epoch's images, batch by batch; the images of an identity are consecutive.

    Each identity's images are shuffled and cut into groups of K; what is left over is dropped, and an
    identity with fewer than K images is drawn with replacement to K. While at least P identities have
    a group left, P of them are drawn and give one group each; the groups that remain are dropped.

    Args:
        labels: identity of every training image.
        batch: P and K.
        generator: seeded per epoch, so that an epoch can be drawn without the epochs before it.

    Raises:
        ValueError: if there are fewer than P identities.

    Source: the authors' release, `RandomIdentitySampler`; Section 4.2 for 16 x 6.
    """
    groups = {
        label: _groups(np.flatnonzero(labels == label), batch.images, generator)
        for label in np.unique(labels)
    }
    if len(groups) < batch.identities:
        raise ValueError(
            f"a batch holds {batch.identities} identities, but only {len(groups)} are there to train on: "
            "lower batch.identities"
        )
    batches = []
    remaining = list(groups)
    while len(remaining) >= batch.identities:
        drawn = generator.choice(remaining, batch.identities, replace=False)
        batches.append(np.concatenate([groups[label].pop() for label in drawn]))
        remaining = [label for label in remaining if groups[label]]
    return batches


def random_batches(
    images: int, batch: RandomBatch, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Positions of one epoch's images in random order, batch by batch; an incomplete batch is dropped.

    Raises:
        ValueError: if not even one batch can be filled.
    """
    if images < batch.size:
        raise ValueError(f"a batch holds {batch.size} images, but only {images} are there: lower batch.size")
    order = generator.permutation(images)
    return [order[start : start + batch.size] for start in range(0, images - batch.size + 1, batch.size)]


def part_of_rank(settings: Batch | RandomBatch, rank: int, ranks: int) -> Int64[np.ndarray, " images"]:
    """Positions of this rank's share in every batch: whole identities.

    Raises:
        ValueError: if batches cannot be shared out evenly.
    """
    name = "size" if isinstance(settings, RandomBatch) else "identities"
    shared: int = getattr(settings, name)
    if shared % ranks or not 0 <= rank < ranks:
        raise ValueError(
            f"process {rank} of {ranks} cannot have an even share of batch.{name} = {shared}: use a number "
            f"of processes that divides batch.{name}"
        )
    return np.split(np.arange(settings.size), ranks)[rank]


def _groups(images: NDArray[np.int64], size: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    if len(images) < size:
        return [generator.choice(images, size, replace=True)]
    shuffled = generator.permutation(images)
    return [shuffled[start : start + size] for start in range(0, len(images) - size + 1, size)]
