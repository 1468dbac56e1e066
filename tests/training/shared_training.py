"""A few steps of tiny trainings, and everything that they left: what torchrun starts, and a test calls."""

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from cdd.contract import CODE, PAPER, Fidelity
from cdd.data.augmentation import normalise, seen
from cdd.errors import OtherProcessError
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.fitnet import FitNet
from cdd.methods.quest.quest import QuEST
from cdd.methods.supervised import Supervised
from cdd.recipe import Batch, Objective, RandomBatch, Recipe
from cdd.training import batches
from cdd.training.distributed.launch import init_process_group
from cdd.training.distributed.process_group import ProcessGroup
from cdd.training.environment import Machine, prepare
from cdd.training.trainer import Trainer
from tests.small import SCHEDULE, small_dataset, student_recipe, teacher_recipe

EPOCHS = 2
RGGR = CapacityDynamic(sparsity=0.02, resetting=RetrievalGuided(queue=16, after_epoch=0, ratio=0.75))
SLOW = SCHEDULE.model_copy(update={"peak_learning_rate": 0.02})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training. `frozen`: batch norms of the student normalise by their running statistics."""

    recipe: Recipe
    frozen: bool = True
    synchronised: bool = False


def case(*, frozen: bool = True, synchronised: bool = False, **changes: object) -> Case:
    """A student of a teacher in evaluation mode; `fidelity` changes that."""
    values = {"method": RGGR, "fidelity": PAPER, "schedule": SLOW, **changes}
    return Case(recipe=student_recipe(**values), frozen=frozen, synchronised=synchronised)


CASES = {
    "whole": case(),
    "parts": case(batch=Batch(identities=4, images=2, micro_batch_size=3)),
    "adapters": case(method=FitNet(), compactors=False),
    "words": case(method=QuEST(words=8, sampled=64), compactors=False),
    "random": case(
        method=Supervised(),
        compactors=False,
        batch=RandomBatch(size=12),
        objective=Objective(triplet_weight=0),
    ),
    "slimmed": case(
        method=CapacityDynamic(
            sparsity=0.02,
            # So that every masked row counts as dead.
            threshold=10.0,
            slim_every=1,
            resetting=RetrievalGuided(queue=16, after_epoch=0, ratio=0.75),
        ),
        fidelity=Fidelity(teacher_batch_norm="running"),
    ),
    "synchronised": case(frozen=False, synchronised=True),
    "synchronised teacher": case(frozen=False, synchronised=True, fidelity=CODE),
    "ordinary": case(frozen=False, fidelity=CODE),
}


@dataclass
class Left:
    """What a training left in a process.

    Attributes:
        losses: per step, by name.
        distiller_gradients: of the last step, before the processes' mean.
        distiller: masks, queues and adapters.
    """

    losses: list[dict[str, float]] = field(default_factory=list)
    distiller_gradients: list[torch.Tensor] = field(default_factory=list)
    student: dict[str, torch.Tensor] = field(default_factory=dict)
    distiller: dict[str, Any] = field(default_factory=dict)


class Frozen1d(nn.BatchNorm1d):
    """Stays in evaluation mode."""

    def train(self, mode: bool = True) -> "Frozen1d":
        return super().train(False)


class Frozen2d(nn.BatchNorm2d):
    """Stays in evaluation mode."""

    def train(self, mode: bool = True) -> "Frozen2d":
        return super().train(False)


def left(wanted: Case) -> Left:
    """Trains in float64, so that rounding decides nothing, and tells what came of it; for every process."""
    with (
        mock.patch.object(batches, "seen", lambda *view: seen(*view).double()),
        mock.patch.object(batches, "normalise", lambda images: normalise(images).double()),
    ):
        return _trained(wanted)


def _trained(wanted: Case) -> Left:
    data, device = small_dataset(16, 16), prepare(Machine(device="cpu"))
    init_process_group(device, synchronised_batch_norm=wanted.synchronised)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        torch.save(Trainer(teacher_recipe(), data, {}, device, torch.float32).student.state_dict(), path)
        weights = {teacher_recipe().run_id: path}
        training = Trainer(wanted.recipe, data, weights, device, torch.float32)
    if wanted.frozen:
        for module in training.student.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.__class__ = Frozen1d if isinstance(module, nn.BatchNorm1d) else Frozen2d
    for network in (training.student, training.teacher, training.distiller):
        if network is not None:
            network.double()
    training.prepare()
    found = Left()
    _record(training, found)
    for epoch in range(1, EPOCHS + 1):
        training.train_epoch(epoch, lambda *_: None)
    found.student = {name: value.clone() for name, value in training.student.state_dict().items()}
    found.distiller = {name: value.clone() for name, value in training.distiller.state_dict().items()}
    return found


def _record(training: Trainer, found: Left) -> None:
    step, backward = training.step, training.precision.backward

    def remembered(training_batch: Any) -> dict[str, float]:
        found.losses.append(step(training_batch))
        return found.losses[-1]

    def backward_and_look(loss: torch.Tensor, model: None) -> None:
        backward(loss, model)
        gradients = (parameter.grad for parameter in training.distiller.parameters())
        found.distiller_gradients = [gradient.clone() for gradient in gradients if gradient is not None]

    training.step = remembered  # type: ignore[method-assign]
    training.precision.backward = backward_and_look  # type: ignore[method-assign, assignment]


def spoken(ranks: ProcessGroup) -> dict[str, Any]:
    """What a process hears of the others, errors included."""

    def fails_in(rank: int) -> str:
        if ranks.rank == rank:
            raise ValueError(f"told by {rank}")
        return "done"

    heard: dict[str, Any] = {
        "each": ranks.all_gather_object(ranks.rank),
        "from first": ranks.broadcast_object(ranks.rank),
    }
    for name, speak in (("first_does", ranks.run_on_rank_zero), ("all_do", ranks.run_on_all_ranks)):
        heard[name] = speak(fails_in, 7)
        for rank in range(2):
            try:
                heard[f"{name}, {rank} fails"] = speak(fails_in, rank)
            except (ValueError, OtherProcessError) as error:
                heard[f"{name}, {rank} fails"] = f"{type(error).__name__}: {error}"
    ranks.barrier(60)
    if ranks.is_first:
        try:
            ranks.barrier(1)
        except RuntimeError as error:
            heard["missed"] = str(error)
    return heard


if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    ranks = init_process_group(torch.device("cpu"))
    found: dict[str, Any] = {name: vars(left(CASES[name])) for name in names or CASES}
    # Last, because a missed meeting leaves the processes out of step.
    torch.save({**found, "spoken": spoken(ranks)}, f"{folder}/{ranks.rank}.pt")
