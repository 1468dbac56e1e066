"""QuEST: the student predicts the teacher's visual word at each position.

Source: Jain et al., "QuEST: Quantized Embedding Space for Transferring Knowledge", ECCV 2020, Section 3;
the authors' release valeoai/QuEST for the numerical form and the settings.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput, TeacherOutputs
from cdd.losses.numerics import at_least_single, unit_rows
from cdd.methods.common.stage_channels import at_smaller_size, stage_channels
from cdd.methods.quest.vocabulary import (
    learn_vocabulary,
    log_assignment,
    positions,
    sample_positions,
    temperature_for,
)
from cdd.values import Count, NonNegative, Positive, Rows, Several, Share, ShortSeed, Switch

CHUNK_ELEMENTS = 2**24
"""Elements of the largest table of positions by words that is held at a time: 64 MiB each in float32, where
4096 words at the 96 x 256 positions of a batch would take 384 MiB."""
PROBED = 4096
"""Vectors by which the temperature is chosen."""


class QuEST(Method):
    """QuEST on the last map before its ReLU, or on the last two. `weight` multiplies the loss: beta.

    Differs: the predictor of the words trains in the optimiser of the student instead of one of its own
    with the same settings.
    """

    key = "cdd.methods.quantised_embedding:QuEST"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 1.0
    words: Several = 4096
    """Size of the vocabulary, K."""
    temperature: Positive | None = None
    """tau of the teacher's assignment; None chooses it by `certainty`, for each map."""
    certainty: Share = 0.996
    """Mean of the largest assignment of a position, in the supplement's Section C.2."""
    scale: Positive = 3.0
    """Initial scale of the student's cosines."""
    learns_scale: Switch = True
    bias: Switch = False
    """Whether each word has a bias; transfer learning has one, and a fixed scale of 10."""
    maps: Literal["last", "last two"] = "last"
    """Quantised maps. The last two are `layer3` and `layer4` of a ResNet (Section C.2).

    Differs: the map before the last one is read after its ReLU.
    """
    sampled: Rows = 262_144
    """Most positions that k-means sees, drawn evenly from all training images."""
    iterations: Count = 20
    seed: ShortSeed = 0
    """Seed of the sample, of k-means and of the predictor's initial weights."""

    @model_validator(mode="after")
    def _samples_enough(self) -> Self:
        if self.sampled < self.words:
            raise ValueError(f"sampled is {self.sampled}, which cannot make {self.words} words: sample more")
        return self

    @property
    def preparation(self) -> dict[str, object]:
        """Settings that determine the vocabulary of a teacher's map."""
        names = ("words", "temperature", "certainty", "maps", "sampled", "iterations", "seed")
        return {name: getattr(self, name) for name in names}

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller whose vocabularies are learnt by `prepare`."""
        return QuantisedDistiller(self, stage_channels(student), stage_channels(teacher))


class QuantisedDistiller(Distiller):
    """The words of one or two of the teacher's maps, `words`, from the last map backwards."""

    def __init__(self, method: QuEST, student_channels: Sequence[int], teacher_channels: Sequence[int]):
        super().__init__()
        self.method = method
        places = range(1 if method.maps == "last" else 2)
        self.words = nn.ModuleList(
            Words(method, student_channels[-1 - place], teacher_channels[-1 - place]) for place in places
        )

    @torch.no_grad()
    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Learns the vocabularies by k-means and chooses the temperatures.

        Raises:
            ValueError: for fewer positions than words.
        """
        for place, words in enumerate(self._words()):
            vectors = sample_positions(
                teacher_outputs, partial(quantised_map, place), self.method.sampled, self.method.seed
            )
            words.learn(vectors)

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted divergence of the two assignments, summed over the maps."""
        if teacher is None:
            raise ValueError("QuEST needs a teacher in every step")
        with torch.autocast(student.pooled.device.type, enabled=False):
            divergences = [
                words.divergence(quantised_map(place, student), quantised_map(place, teacher).detach())
                for place, words in enumerate(self._words())
            ]
        return {"quest": self.method.weight * torch.stack(divergences).sum()}

    @property
    def last(self) -> "Words":
        """The words of the last map."""
        return next(self._words())

    def _words(self) -> Iterator["Words"]:
        return (words for words in self.words if isinstance(words, Words))


class Words(nn.Module):
    """A vocabulary of one of the teacher's maps and the student's predictor of its words.

    Attributes:
        vocabulary: (words, teacher_channels) float32.
        temperature: tau, squared units of the teacher's map; zero until the vocabulary is learnt.
        predictor: (words, student_channels), one direction per word.
        scale: of the student's cosines.
        bias: (words), added to the scaled cosines.
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
        self.scale = nn.Parameter(torch.tensor(method.scale), requires_grad=method.learns_scale)
        self.bias = nn.Parameter(torch.zeros(method.words), requires_grad=method.bias)

    def learn(self, vectors: Float[Tensor, "sampled channels"]) -> None:
        """Learns the vocabulary and, where the method sets none, the temperature."""
        method = self.method
        self.vocabulary.copy_(learn_vocabulary(vectors, method.words, method.iterations, method.seed))
        chosen = method.temperature
        if chosen is None:
            probed = vectors[:PROBED].to(self.vocabulary.device)
            chosen = temperature_for(probed, self.vocabulary, method.certainty)
        self.temperature.fill_(chosen)

    def divergence(
        self,
        student: Float[Tensor, "batch student_channels height width"],
        teacher: Float[Tensor, "batch teacher_channels teacher_height teacher_width"],
    ) -> Float[Tensor, ""]:
        """KL divergence of the student's assignment from the teacher's, at the smaller size of both maps."""
        student_map, teacher_map = at_smaller_size(at_least_single(student), at_least_single(teacher))
        return chunked_divergence(
            positions(student_map),
            positions(teacher_map),
            self.predicted,
            self.assigned,
            len(self.vocabulary),
        )

    def predicted(
        self, vectors: Float[Tensor, "positions student_channels"]
    ) -> Float[Tensor, "positions words"]:
        """Logarithm of the student's assignment."""
        return log_prediction(vectors, self.predictor, self.scale, self.bias)

    def assigned(
        self, vectors: Float[Tensor, "positions teacher_channels"]
    ) -> Float[Tensor, "positions words"]:
        """Logarithm of the teacher's assignment."""
        return log_assignment(vectors, self.vocabulary, self.temperature)


def quantised_map(place: int, output: RetrievalOutput) -> Float[Tensor, "batch channels height width"]:
    """The last map before its ReLU, or for place 1 the one before it.

    Raises:
        ValueError: if the network was called without `mapped=True`.
    """
    if output.before_last_relu is None:
        raise ValueError("QuEST compares the last maps of student and teacher: call both with mapped=True")
    return output.before_last_relu if place == 0 else output.stages[-1 - place]


def log_prediction(
    vectors: Float[Tensor, "positions student_channels"],
    predictor: Float[Tensor, "words student_channels"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, " words"] | float = 0.0,
) -> Float[Tensor, "positions words"]:
    """Logarithm of the student's assignment: softmax of scaled cosines with the predictor's rows, Eq. 5."""
    cosines = unit_rows(vectors) @ unit_rows(predictor).T
    return F.log_softmax(scale * cosines + bias, dim=1)


def chunked_divergence(
    student: Float[Tensor, "positions student_channels"],
    teacher: Float[Tensor, "positions teacher_channels"],
    predict: Callable[[Tensor], Tensor],
    assign: Callable[[Tensor], Tensor],
    words: int,
) -> Float[Tensor, ""]:
    """Mean over the positions of the KL divergence of `predict(student)` from `assign(teacher)`, in nats.

    No gradient reaches the teacher. Positions go through in chunks that are computed again in the backward
    pass, so that no table of positions by words is larger than `CHUNK_ELEMENTS`.

    Args:
        predict: logarithms of the student's assignment of some positions.
        assign: those of the teacher's.
        words: of both assignments.
    """

    def chunk(student_part: Tensor, teacher_part: Tensor) -> Tensor:
        return F.kl_div(predict(student_part), assign(teacher_part), reduction="sum", log_target=True)

    size = max(1, CHUNK_ELEMENTS // words)
    parts = zip(student.split(size), teacher.detach().split(size), strict=True)
    # `checkpoint` has no types.
    sums = [checkpoint(chunk, *pair, use_reentrant=False) for pair in parts]
    return torch.stack(sums).sum() / len(student)
