"""QuEST: the student predicts which of the teacher's visual words each position shows.

Source: Jain et al., "QuEST: Quantized Embedding Space for Transferring Knowledge", ECCV 2020, Section 3;
the authors' release valeoai/QuEST for the numerical form and the settings.
"""

from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput, TeacherOutputs
from cdd.losses.precision import at_least_single
from cdd.losses.unit import unit_rows
from cdd.methods.stage_channels import at_smaller_size, stage_channels

CHUNK_ELEMENTS = 2**24
"""Elements of the largest table of positions by words that is held at a time: 64 MiB each."""
BISECTION_STEPS = 60
PROBED = 4096
"""Vectors by which the temperature is chosen."""


class QuEST(Method):
    """QuEST on the last map before its ReLU. `weight` multiplies the loss.

    Differs: the predictor of the words trains in the optimiser of the student instead of one of its own
    with the same settings.
    """

    weight: Annotated[float, Field(ge=0)] = 1.0
    words: Annotated[int, Field(ge=2)] = 4096
    """Size of the vocabulary, K."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """tau of the teacher's assignment; None chooses it by `certainty`."""
    certainty: Annotated[float, Field(gt=0, lt=1)] = 0.996
    """Mean of the largest assignment of a position, in the supplement's Section C.2."""
    scale: Annotated[float, Field(gt=0)] = 3.0
    """Of the student's cosines at the start; it is learnt."""
    sampled: Annotated[int, Field(ge=2)] = 262_144
    """Most positions that k-means sees, drawn evenly from all training images."""
    iterations: Annotated[int, Field(ge=1)] = 20
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the sample, of k-means and of the predictor's first weights."""

    @property
    def reads_maps(self) -> bool:
        """The last map before its ReLU."""
        return True

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller whose vocabulary is learnt by `prepare`."""
        return QuantisedDistiller(self, stage_channels(student)[-1], stage_channels(teacher)[-1])


class QuantisedDistiller(Distiller):
    """A vocabulary of the teacher's vectors and the student's predictor of words.

    Attributes:
        vocabulary: (words, teacher_channels) float32.
        temperature: tau, squared units of the teacher's map; zero until the vocabulary is learnt.
        predictor: (words, student_channels), one direction per word.
        scale: of the student's cosines.
    """

    vocabulary: Tensor
    temperature: Tensor

    def __init__(self, method: QuEST, student_channels: int, teacher_channels: int):
        super().__init__()
        self.method = method
        self.register_buffer("vocabulary", torch.zeros(method.words, teacher_channels))
        self.register_buffer("temperature", torch.zeros(()))
        generator = torch.Generator().manual_seed(method.seed)
        weights = torch.randn(method.words, student_channels, generator=generator)
        self.predictor = nn.Parameter(weights * (2 / student_channels) ** 0.5)
        self.scale = nn.Parameter(torch.tensor(method.scale))

    @torch.no_grad()
    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Learns the vocabulary by k-means and chooses the temperature.

        Raises:
            ValueError: for fewer positions than words.
        """
        vectors = sample_positions(teacher_outputs, self.method.sampled, self.method.seed)
        self.vocabulary.copy_(
            learn_vocabulary(vectors, self.method.words, self.method.iterations, self.method.seed)
        )
        chosen = self.method.temperature
        if chosen is None:
            probed = vectors[:PROBED].to(self.vocabulary.device)
            chosen = temperature_for(probed, self.vocabulary, self.method.certainty)
        self.temperature.fill_(chosen)

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted divergence of the two assignments."""
        if teacher is None or teacher.before_last_relu is None or student.before_last_relu is None:
            raise ValueError(
                "QuEST compares the last maps of student and teacher: call both with mapped=True"
            )
        with torch.autocast(student.pooled.device.type, enabled=False):
            found, wanted = at_smaller_size(
                at_least_single(student.before_last_relu), at_least_single(teacher.before_last_relu.detach())
            )
            divergence = assignment_divergence(
                positions(found),
                positions(wanted),
                self.predictor,
                self.scale,
                self.vocabulary,
                self.temperature,
            )
        return {"quest": self.method.weight * divergence}


def positions(
    features: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "positions channels"]:
    """One row per image and place, image by image."""
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


def assignment_divergence(
    student: Float[Tensor, "positions student_channels"],
    teacher: Float[Tensor, "positions teacher_channels"],
    predictor: Float[Tensor, "words student_channels"],
    scale: Float[Tensor, ""],
    vocabulary: Float[Tensor, "words teacher_channels"],
    temperature: Float[Tensor, ""] | float,
) -> Float[Tensor, ""]:
    """KL divergence of the student's words from the teacher's, mean of all positions, in nats.

    The student's assignment is the softmax of scaled cosines with the predictor's rows. Positions go
    through in chunks that are computed again in the backward pass, so that no table of positions by
    words is larger than `CHUNK_ELEMENTS`. No gradient reaches teacher or vocabulary.

    Source: Section 3; released scale and temperature: 3 and 0.2.
    """

    def chunk(found: Tensor, wanted: Tensor) -> Tensor:
        expected = log_assignment(wanted, vocabulary, temperature)
        cosines = unit_rows(found) @ unit_rows(predictor).T
        return F.kl_div(F.log_softmax(scale * cosines, dim=1), expected, reduction="sum", log_target=True)

    size = max(1, CHUNK_ELEMENTS // len(vocabulary))
    parts = zip(student.split(size), teacher.detach().split(size), strict=True)
    # `checkpoint` has no types.
    sums = [checkpoint(chunk, found, wanted, use_reentrant=False) for found, wanted in parts]
    return torch.stack(sums).sum() / len(student)


def sample_positions(
    teacher_outputs: TeacherOutputs, count: int, seed: int
) -> Float[Tensor, "sampled channels"]:
    """At most `count` vectors of the teacher's last map before its ReLU, each position equally likely.

    On the CPU, in random order.

    Raises:
        ValueError: without any training image.
    """
    generator = torch.Generator().manual_seed(seed)
    kept, keys = torch.zeros(0), torch.zeros(0)
    for output in teacher_outputs():
        if output.before_last_relu is None:
            raise ValueError("QuEST reads the teacher's last map: call it with mapped=True")
        rows = positions(output.before_last_relu.float()).cpu()
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
    import faiss

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
        found = log_assignment(vectors, vocabulary, float(np.exp(logarithm)))
        return float(found.amax(dim=1).exp().mean())

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
