"""Visual words of a teacher's map: k-means on its positions, and the soft assignment of positions to words.

Source: Jain et al., "QuEST: Quantized Embedding Space for Transferring Knowledge", ECCV 2020, Section 3.2.
"""

from collections.abc import Callable

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cdd.contract import RetrievalOutput, TeacherOutputs

BISECTION_STEPS = 60


def positions(
    features: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "positions channels"]:
    """One row per image and position, image by image."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def log_assignment(
    vectors: Float[Tensor, "positions channels"],
    vocabulary: Float[Tensor, "words channels"],
    temperature: Float[Tensor, ""] | float,
) -> Float[Tensor, "positions words"]:
    """Logarithm of the soft assignment: softmax over the words of -(squared distance) / temperature."""
    # The vector's own length is the same for all words; seen from their centre, little is left to cancel.
    centre = vocabulary.mean(dim=0)
    seen, words = vectors - centre, vocabulary - centre
    nearness = 2 * seen @ words.T - words.square().sum(dim=1)
    return F.log_softmax(nearness / temperature, dim=1)


def sample_positions(
    teacher_outputs: TeacherOutputs, chosen_map: Callable[[RetrievalOutput], Tensor], count: int, seed: int
) -> Float[Tensor, "sampled channels"]:
    """At most `count` vectors of one of the teacher's maps, each position equally likely.

    On the CPU, in random order.

    Raises:
        ValueError: without any training image.
    """
    generator = torch.Generator().manual_seed(seed)
    kept, keys = torch.zeros(0), torch.zeros(0)
    for output in teacher_outputs():
        rows = positions(chosen_map(output).float()).cpu()
        drawn = torch.rand(len(rows), generator=generator)
        kept = torch.cat([kept, rows]) if len(kept) else rows
        keys = torch.cat([keys, drawn])
        if len(keys) > count:
            keys, chosen = keys.topk(count)
            kept = kept[chosen]
    if not len(kept):
        raise ValueError(
            "no training image reached QuEST's vocabulary: give it a teacher and training images"
        )
    return kept[torch.randperm(len(kept), generator=generator)]


def learn_vocabulary(
    vectors: Float[Tensor, "sampled channels"], words: int, iterations: int, seed: int
) -> Float[Tensor, "words channels"]:
    """Centres of k-means with Euclidean distances, by faiss.

    Raises:
        ValueError: for fewer vectors than words.
    """
    if len(vectors) < words:
        raise ValueError(
            f"{len(vectors)} positions cannot make {words} words: use fewer words or more training images"
        )

    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": -(-len(vectors) // words)}
    clustering = faiss.Kmeans(vectors.shape[1], words, niter=iterations, seed=seed, **limits)
    clustering.train(np.ascontiguousarray(vectors.numpy(), dtype=np.float32))
    return torch.from_numpy(clustering.centroids)


def temperature_for(
    vectors: Float[Tensor, "sampled channels"], vocabulary: Float[Tensor, "words channels"], certainty: float
) -> float:
    """The temperature at which the largest assignment of a vector is `certainty` on average.

    By bisection of the logarithm: the average falls as the temperature rises.

    Raises:
        ValueError: for vectors between words so evenly that no temperature reaches it.
    """

    def average(logarithm: float) -> float:
        assignments = log_assignment(vectors, vocabulary, float(np.exp(logarithm)))
        return float(assignments.amax(dim=1).exp().mean())

    low, high = -30.0, 30.0
    if not average(low) >= certainty >= average(high):
        raise ValueError(
            f"no temperature makes the largest assignment {certainty} on average: it is between "
            f"{average(high):.3f} and {average(low):.3f}; set temperature, or another number of words"
        )
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if average(middle) >= certainty else (low, middle)
    return float(np.exp(low))
