"""A backbone and a classifier, trained on classes; goes on after any interruption."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdd.architecture import Network
from cdd.data.augmentation import augment, normalise
from cdd.models.network import RetrievalNetwork, initialise
from cdd.models.resnet import pooled
from cdd.training import checkpoint
from cdd.training.schedule import learning_rate
from tools.pretrain.images import Images, Labelled
from tools.pretrain.networks import Pretraining


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one epoch measured.

    Attributes:
        loss: mean over the epoch's batches.
        top1_percent: of the validation images.
    """

    number: int
    loss: float
    top1_percent: float
    seconds: float


class Classifier(nn.Module):
    """A backbone, averaged over space, and a linear layer to the classes."""

    def __init__(self, network: Network, classes: int, seed: int):
        super().__init__()
        whole = RetrievalNetwork(network, classes)
        generator = torch.Generator().manual_seed(seed)
        initialise(whole, generator)
        self.backbone = whole.backbone
        self.head = nn.Linear(self.backbone.outputs, classes)
        nn.init.normal_(self.head.weight, std=0.01, generator=generator)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """One score per class."""
        scores: Tensor = self.head(pooled(self.backbone(images).stages[-1]))
        return scores


class ClassTraining:
    """The state of one training and the way from one epoch to the next.

    Everything random in an epoch follows from the seed and its number, so that a state holds no generator.
    """

    def __init__(self, network: Network, recipe: Pretraining, images: Images, folder: Path):
        self.recipe, self.images, self.folder = recipe, images, folder
        self.classifier = Classifier(network, len(images.names), recipe.seed)
        for parameter in self.classifier.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.optimiser = _optimiser(self.classifier, recipe)
        self.history: list[Epoch] = []
        state, _ = checkpoint.read_newest(folder)
        if state:
            self._load(state)

    def epochs(self) -> Iterator[Epoch]:
        """Trains what is left and gives every epoch, once its checkpoint is written."""
        for number in range(len(self.history) + 1, self.recipe.schedule.epochs + 1):
            started = time.monotonic()
            loss = self._train(number)
            top1 = top1_percent(self.classifier, self.images.validation)
            seconds = time.monotonic() - started
            self.history.append(Epoch(number=number, loss=loss, top1_percent=top1, seconds=seconds))
            checkpoint.write(self.folder, number, self._state())
            yield self.history[-1]

    def _train(self, number: int) -> float:
        self.classifier.train()
        generator = np.random.default_rng((self.recipe.seed, number))
        order = generator.permutation(len(self.images.training.classes))
        batches = np.split(order, range(self.recipe.batch, len(order), self.recipe.batch))
        # A few images left over would have batch statistics of their own.
        batches = batches[:-1] if len(batches[-1]) < self.recipe.batch and len(batches) > 1 else batches
        losses = []
        for place, batch in enumerate(batches):
            finished = number - 1 + place / len(batches)
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.recipe.schedule, finished)
            losses.append(self._step(np.sort(batch), generator))
        return float(np.mean(losses))

    def _step(self, batch: np.ndarray, generator: np.random.Generator) -> float:
        training, recipe = self.images.training, self.recipe
        pixels = torch.from_numpy(training.pixels[batch])
        views = augment(pixels, recipe.augmentation, generator, erasing_fill="zero")
        with torch.autocast("cpu", torch.bfloat16):
            scores = self.classifier(views)
        wanted = torch.from_numpy(training.classes[batch])
        loss = F.cross_entropy(scores.float(), wanted, label_smoothing=recipe.label_smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if recipe.largest_gradient is not None:
            nn.utils.clip_grad_norm_(self.classifier.parameters(), recipe.largest_gradient)
        self.optimiser.step()
        return loss.item()

    def _state(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump_json(),
            "classifier": self.classifier.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        if state["recipe"] != self.recipe.model_dump_json():
            raise ValueError(
                f"{self.folder} holds a training by another recipe: {state['recipe']}. Give the same "
                "options again to go on with it, or another --output."
            )
        self.classifier.load_state_dict(state["classifier"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]


@torch.no_grad()
def top1_percent(classifier: nn.Module, images: Labelled, batch: int = 256) -> float:
    """How many images in a hundred get the highest score for their own class."""
    classifier.eval()
    right = 0
    for start in range(0, len(images.classes), batch):
        part = slice(start, start + batch)
        with torch.autocast("cpu", torch.bfloat16):
            scores = classifier(normalise(torch.from_numpy(images.pixels[part])))
        right += int((scores.argmax(1) == torch.from_numpy(images.classes[part])).sum())
    return 100 * right / len(images.classes)


def _optimiser(classifier: nn.Module, recipe: Pretraining) -> torch.optim.Optimizer:
    rate, decay = recipe.schedule.peak_learning_rate, recipe.weight_decay
    parameters = list(classifier.parameters())
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay, fused=True
        )
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)
