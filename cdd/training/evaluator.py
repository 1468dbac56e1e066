"""What a student is worth: its accuracy by every protocol, and its cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cdd.architecture import SmallNetwork
from cdd.data.records import CLASSIFICATION, Dataset, evaluated, labels_of_evaluated, training_set
from cdd.errors import RunError
from cdd.evaluation.classification import classification_metrics, correct_images
from cdd.evaluation.cost import cost
from cdd.evaluation.queries import CLASSES, chance_precision, query_identities
from cdd.evaluation.retrieval import (
    embed_all,
    named_metrics,
    retrieval_metrics,
)
from cdd.models.deployed import Embedder, channels_of
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe

DEPLOYMENT_TOLERANCE = 1e-3
"""Largest difference between embeddings before and after folding and thinning, per largest value."""


@dataclass(frozen=True)
class Accuracy:
    """Metrics by name, and per protocol what mAP (or top-1) and rank 1 are the means of."""

    metrics: dict[str, float]
    by_query: dict[str, list[float]]
    first_is_right: dict[str, list[int]]


class Appraiser:
    """Judges networks by the images that a recipe evaluates on."""

    def __init__(self, recipe: Recipe, dataset: Dataset, device: torch.device):
        self.recipe, self.dataset, self.device = recipe, dataset, device
        self.indices = evaluated(dataset, recipe.data.use)
        self.identities = training_set(dataset, recipe.data.use).identities

    def embed(self, network: RetrievalNetwork) -> Float[Tensor, "images embedding"]:
        """Float32 embeddings of all evaluated images."""
        with torch.backends.cudnn.flags(allow_tf32=False):
            return embed_all(Embedder(network), self.dataset, self.indices, self.device)

    def accuracy(self, network: RetrievalNetwork, embeddings: Tensor) -> Accuracy:
        """By every protocol of the data set, or of a classification top-1."""
        use = self.recipe.data.use
        if use in CLASSIFICATION:
            labels = torch.from_numpy(labels_of_evaluated(self.dataset, use))
            correct = correct_images(embeddings, network.classifier, labels)
            return Accuracy(classification_metrics(correct), {CLASSES: correct.double().tolist()}, {})
        results = retrieval_metrics(embeddings, self.dataset, use)
        precision = {name: result.average_precision.tolist() for name, result in results.items()}
        right = {name: (result.first_rank == 1).astype(int).tolist() for name, result in results.items()}
        return Accuracy(named_metrics(results), precision, right)

    def query_identities(self) -> dict[str, list[int]]:
        """Per protocol what each valid query shows; of a classification, what each image does."""
        return query_identities(self.dataset, self.recipe.data.use)

    def chance_precision(self) -> dict[str, list[float]]:
        """Per protocol what random embeddings would give each valid query."""
        return chance_precision(self.dataset, self.recipe.data.use)

    def cost(self, student: RetrievalNetwork, kept: Sequence[Tensor] | None) -> dict[str, float]:
        """Parameters and multiply-adds of the network that would be deployed."""
        channels = channels_of(student, self.recipe.student)
        if kept is not None:
            channels = [int(mask.sum()) for mask in kept]
        size = self.recipe.data
        found = cost(
            self.recipe.student, size.height, size.width, channels=channels, identities=self.identities
        )
        return {"parameters": float(found.parameters), "multiply_adds": float(found.multiply_adds)}

    def reduction(self) -> dict[str, float]:
        """Share of the teacher's parameters that a network for small images saves."""
        teacher, student = self.recipe.teacher, self.recipe.student
        if teacher is None or not isinstance(student, SmallNetwork):
            return {}
        size = self.recipe.data
        of_student, of_teacher = (
            cost(network, size.height, size.width, identities=self.identities).parameters
            for network in (student, teacher.student)
        )
        return {"reduction": 1 - of_student / of_teacher}


def require_equal(found: Tensor, wanted: Tensor) -> None:
    """Compares a deployed network's embeddings with those of the student without its pruned channels.

    Raises:
        RunError: if they differ by more than rounding.
    """
    difference, largest = float((wanted - found).abs().max()), float(wanted.abs().max())
    if not difference <= DEPLOYMENT_TOLERANCE * largest:
        raise RunError(
            f"the deployed network's embeddings differ from those of the student without its pruned channels "
            f"by {difference:.3g} (largest value {largest:.3g}): it is not saved; the checkpoints stay."
        )
