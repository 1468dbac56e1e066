"""A whole training step of CDD with RGGR as the authors' release does it, written a second time.

Full sorts, Python sets and loops, one image at a time. It shares no code with `cdd`, so that a mistake has
to be made twice to stay unseen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.training.reference_network import Output, Shape, State, forward, is_parameter

BASE_RATE, FINAL_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 1e-7, 0.9, 5e-4


@dataclass(frozen=True)
class Settings:
    """The release's values, and the places where the paper's text says something else."""

    alpha: float = 0.004
    tap_weight: float = 0.5
    neighbours: int = 2
    ratio: float = 0.5
    queue: int = 24_000
    distance: str = "cosine"
    after_epoch: int = 20
    epochs: int = 100
    tap_reduction: str = "sum"
    sticky_masks: bool = True
    teacher_batch_norm: str = "batch"
    neck_learning_rate_factor: float = 1.5
    compactor_weight_decay: bool = True


# --- The losses ------------------------------------------------------------------------------------


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    classes = logits.shape[1]
    target = 0.9 * torch.eye(classes, dtype=logits.dtype)[labels] + 0.1 / classes
    return -(target * logits.log_softmax(1)).sum(1).mean()


def triplet(features: Tensor, labels: Tensor) -> Tensor:
    squares = (features**2).sum(1)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    distances = squared.clamp(min=1e-12).sqrt()
    costs = []
    for anchor, label in enumerate(labels.tolist()):
        alike = [i for i, other in enumerate(labels.tolist()) if other == label]
        others = [i for i, other in enumerate(labels.tolist()) if other != label]
        costs.append((distances[anchor, alike].max() - distances[anchor, others].min() + 0.35).clamp(min=0))
    return torch.stack(costs).mean()


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    expected, found = (teacher / 2).log_softmax(1), (student / 2).log_softmax(1)
    return (expected.exp() * (expected - found)).sum() * 2**2 / len(student)


def tap_distances(student: list[Tensor], teacher: list[Tensor]) -> list[Tensor]:
    return [((t - s) ** 2).sum(1).sqrt().mean() for s, t in zip(student, teacher, strict=True)]


def lasso(compactors: list[Tensor]) -> Tensor:
    return torch.stack([(weight**2).sum((1, 2, 3)).sqrt().sum() for weight in compactors]).sum()


def rate(epoch: int, epochs: int, base: float) -> float:
    """The rate of an epoch counted from 1: warm-up over 10, flat to 40, cosine."""
    time = epoch - 1
    if time <= 10:
        return base * (0.1 * (1 - time / 10) + time / 10)
    if time <= 40:
        return base
    return FINAL_RATE + (base - FINAL_RATE) * (1 + math.cos(math.pi * (time - 40) / (epochs - 40))) / 2


# --- RGGR and the step -----------------------------------------------------------------------------


class Block:
    """The queue and the mask of one block."""

    def __init__(self, channels: int):
        self.channels = channels
        self.rows: list[Tensor] = []
        self.pointer = 0
        self.mask = torch.ones(channels)

    def enqueue(self, batch: Tensor, size: int) -> None:
        assert size % len(batch) == 0
        for row in batch:
            if len(self.rows) < size:
                self.rows.append(row.clone())
            else:
                self.rows[self.pointer] = row.clone()
            self.pointer = (self.pointer + 1) % size

    def shared_smallest(self, student: Tensor, teacher: Tensor, settings: Settings) -> set[int]:
        """Channels on every image's every list."""
        gallery, shared = torch.stack(self.rows), set(range(self.channels))
        if settings.distance == "cosine":
            gallery, student, teacher = (F.normalize(x, dim=1) for x in (gallery, student, teacher))
        for own, query in zip(student, teacher, strict=True):
            if settings.distance == "cosine":
                ranking = (gallery.double() @ query.double()).sort(descending=True).indices
            else:
                ranking = (gallery.double() - query.double()).norm(dim=1).sort().indices
            for rank in ranking.tolist()[: settings.neighbours]:
                products = (own * gallery[rank]).abs().tolist()
                order = sorted(range(self.channels), key=products.__getitem__)
                shared &= set(order[: int(self.channels * settings.ratio)])
        return shared

    def update(self, student: Tensor, teacher: Tensor, settings: Settings) -> None:
        self.enqueue(teacher, settings.queue)
        if not settings.sticky_masks:
            self.mask = torch.ones(self.channels)
        for channel in self.shared_smallest(student, teacher, settings):
            self.mask[channel] = 0


class Reference:
    """Student, teacher, momentum, queues and masks; `step` trains on one batch."""

    def __init__(self, shape: Shape, student: State, teacher: State, settings: Settings):
        self.shape, self.settings = shape, settings
        self.student = {name: value.clone() for name, value in student.items()}
        self.teacher = {name: value.clone() for name, value in teacher.items()}
        self.compactors = [f"{name}.dgc.weight" for name, *_ in shape.layers()]
        self.blocks = [Block(planes) for _, _, planes, _ in shape.layers()]
        self.momentum: State = {}
        self.gradients: State = {}

    def step(self, images: Tensor, labels: Tensor, epoch: int) -> dict[str, float]:
        """Trains on one batch of normalised images and returns the losses by name."""
        settings, active = self.settings, epoch > self.settings.after_epoch
        leaves = {n: v.detach().requires_grad_() for n, v in self.student.items() if is_parameter(n)}
        found = forward({**self.student, **leaves}, self.shape, images)
        with torch.no_grad():
            batch_statistics = settings.teacher_batch_norm == "batch"
            wanted = forward(self.teacher, self.shape, images, training=batch_statistics)
            for number, block in enumerate(self.blocks if active else []):
                block.update(found.after[number].detach(), wanted.before[number], settings)
        losses = self.losses(found, wanted, labels)
        total = torch.stack(list(losses.values())).sum()
        penalty = settings.alpha * lasso([leaves[name] for name in self.compactors])
        objective = total if active else total + penalty
        self.gradients = dict(zip(leaves, torch.autograd.grad(objective, list(leaves.values())), strict=True))
        if active:
            self.reset()
        self.descend(lambda base: rate(epoch, settings.epochs, base))
        return {name: value.item() for name, value in {"total": total, **losses}.items()}

    def losses(self, found: Output, wanted: Output, labels: Tensor) -> dict[str, Tensor]:
        """The weighted losses, without the lasso."""
        distances = torch.stack(tap_distances(found.before, wanted.before))
        taps = distances.sum() if self.settings.tap_reduction == "sum" else distances.mean()
        return {
            "identity": cross_entropy(found.logits, labels),
            "triplet": triplet(found.pooled, labels),
            "logit": divergence(found.logits, wanted.logits),
            "tap": self.settings.tap_weight * taps,
        }

    def reset(self) -> None:
        """Masks the compactors' gradients, then adds the lasso's to all rows."""
        for name, block in zip(self.compactors, self.blocks, strict=True):
            weight = self.student[name]
            norms = (weight**2).sum((1, 2, 3), keepdim=True).sqrt()
            masked = self.gradients[name] * block.mask[:, None, None, None]
            self.gradients[name] = masked + self.settings.alpha * weight / norms

    def descend(self, schedule: Callable[[float], float]) -> None:
        """SGD with momentum; weight decay on everything; another base rate for all of "classifier"."""
        for name, gradient in self.gradients.items():
            factor = self.settings.neck_learning_rate_factor if "classifier" in name else 1.0
            decays = "dgc" not in name or self.settings.compactor_weight_decay
            change = gradient + (WEIGHT_DECAY if decays else 0.0) * self.student[name]
            if name in self.momentum:
                change = MOMENTUM * self.momentum[name] + change
            self.momentum[name] = change
            self.student[name] = self.student[name] - schedule(BASE_RATE * factor) * change
