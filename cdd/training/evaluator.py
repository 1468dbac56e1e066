"""Evaluation of a student: accuracy under every protocol of the data set, and cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

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
"""Largest difference of embeddings before and after folding and pruning, relative to the largest value."""


@dataclass(frozen=True)
class Accuracy:
    """Metrics by name, and per protocol the per-query values whose means are mAP (or top-1) and rank 1."""

    metrics: dict[str, float]
    by_query: dict[str, list[float]]
    rank1_correct: dict[str, list[int]]


class Evaluator:
    """Evaluator of networks on the evaluation images of a recipe."""

    def __init__(self, recipe: Recipe, dataset: Dataset, device: torch.device):
        self.recipe, self.dataset, self.device = recipe, dataset, device
        self.indices = evaluated(dataset, recipe.data.use)
        self.identities = training_set(dataset, recipe.data.use).identities

    def embed(self, network: RetrievalNetwork) -> Float[Tensor, "images embedding"]:
        """Float32 embeddings of all evaluated images."""
        with torch.backends.cudnn.flags(allow_tf32=False):
            return embed_all(Embedder(network), self.dataset, self.indices, self.device)

    def accuracy(self, network: RetrievalNetwork, embeddings: Tensor) -> Accuracy:
        """Retrieval accuracy under every protocol of the data set; top-1 accuracy for classification."""
        use = self.recipe.data.use
        if use in CLASSIFICATION:
            labels = torch.from_numpy(labels_of_evaluated(self.dataset, use))
            correct = correct_images(embeddings, network.classifier, labels)
            return Accuracy(classification_metrics(correct), {CLASSES: correct.double().tolist()}, {})
        results = retrieval_metrics(embeddings, self.dataset, use)
        precision = {name: result.average_precision.tolist() for name, result in results.items()}
        rank1_correct = {
            name: (result.first_rank == 1).astype(int).tolist() for name, result in results.items()
        }
        return Accuracy(named_metrics(results), precision, rank1_correct)

    def query_identities(self) -> dict[str, list[int]]:
        """Identity of each valid query, per protocol; for classification, the label of each image."""
        return query_identities(self.dataset, self.recipe.data.use)

    def chance_precision(self) -> dict[str, list[float]]:
        """Expected average precision of each valid query under random embeddings, per protocol."""
        return chance_precision(self.dataset, self.recipe.data.use)

    def cost(self, student: RetrievalNetwork, kept: Sequence[Tensor] | None) -> dict[str, float]:
        """Parameters and multiply-adds of the network that would be deployed."""
        channels = channels_of(student)
        if kept is not None:
            channels = [int(mask.sum()) for mask in kept]
        size = self.recipe.data
        deployed = cost(
            self.recipe.student, size.height, size.width, channels=channels, identities=self.identities
        )
        return {"parameters": float(deployed.parameters), "multiply_adds": float(deployed.multiply_adds)}

    def reduction(self) -> dict[str, float]:
        """Reduction of the teacher's parameters as a fraction; for networks for small images only."""
        teacher, student = self.recipe.teacher, self.recipe.student
        if teacher is None or student.embedding is not None:
            return {}
        size = self.recipe.data
        student_parameters, teacher_parameters = (
            cost(network, size.height, size.width, identities=self.identities).parameters
            for network in (student, teacher.student)
        )
        return {"reduction": 1 - student_parameters / teacher_parameters}


def require_equal(found: Tensor, wanted: Tensor) -> None:
    """Checks the deployed network's embeddings against those of the student with pruned channels zeroed.

    Raises:
        RunError: if they differ by more than rounding error.
    """
    difference, largest = float((wanted - found).abs().max()), float(wanted.abs().max())
    if not difference <= DEPLOYMENT_TOLERANCE * largest:
        raise RunError(
            f"the deployed network's embeddings differ from those of the student without its pruned channels "
            f"by {difference:.3g} (largest value {largest:.3g}): it is not saved; the checkpoints stay."
        )
