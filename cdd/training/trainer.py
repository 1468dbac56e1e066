"""Trainer of one student: networks, distiller and optimiser, stepped batch by batch and epoch by epoch."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdd.compactor.slim import removed
from cdd.contract import LossTerms, RetrievalOutput
from cdd.data.records import Dataset
from cdd.errors import DivergenceError
from cdd.losses import batch_hard_triplet, identity_loss, logit_divergence
from cdd.recipe import Recipe
from cdd.training.batches import BatchStream, TrainingBatch, batch_stream_key
from cdd.training.distributed.process_group import sync_and_check_replicas
from cdd.training.grad_cache import FullBatchPass, GradCachePass, forward_pass
from cdd.training.multi_student import current_slot
from cdd.training.networks import build_student, to_device_channels_last
from cdd.training.optimiser import build_optimiser, set_learning_rates, slim
from cdd.training.precision import precision_plugin
from cdd.training.preparation import load_buffers, preparation_file, save_buffers

Stepped = Callable[[int, int, float], None]
"""Callback after an iteration: its number in the epoch, the epoch's number of iterations, the loss."""


class Trainer:
    """The training state of one student, and its training step."""

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        weights: Mapping[str, Path],
        device: torch.device,
        dtype: torch.dtype,
        *,
        compiled: bool = False,
    ):
        self.recipe, self.slot, self.compiled = recipe, current_slot(), compiled
        self.dtype = dtype
        representative_recipe = self.slot.representative_recipe(recipe)
        self.batch_stream = self.slot.shared(
            (BatchStream, batch_stream_key(recipe), dtype),
            lambda: BatchStream(representative_recipe, dataset, weights, device, dtype, compiled=compiled),
        )
        self.examples, self.teacher = self.batch_stream.examples, self.batch_stream.teacher
        self.student = to_device_channels_last(
            build_student(recipe, self.examples.identities, weights), device
        )
        self.distiller = recipe.method.build(self.student, self.teacher, recipe.fidelity).to(device)
        self.optimiser = build_optimiser(self.student, self.distiller, recipe, scaled=dtype is torch.float16)
        self.precision = precision_plugin(device, dtype)

    @cached_property
    def passes(self) -> FullBatchPass:
        """Forward and backward pass of the student in its present shape; created on all ranks together."""
        ranks, part = self.batch_stream.ranks, self.batch_stream.part
        wrapped = ranks.wrap_ddp(self.student)
        forward = forward_pass(
            wrapped,
            self.precision,
            compiled=self.compiled,
            tapped=self.teacher is not None,
            mapped=self.recipe.method.reads_maps,
        )
        if part < len(self.batch_stream.share):
            return GradCachePass(forward, self.precision, wrapped, part, ranks)
        return FullBatchPass(forward, self.precision, ranks)

    def prepare(self, teacher_folder: Path | None = None) -> None:
        """Prepares the method from the teacher's outputs, before the first epoch of a new run.

        Rank 0 prepares; the other ranks receive its parameters and buffers.

        Args:
            teacher_folder: folder of stored preparations; read first, written after a new preparation.
        """
        self.batch_stream.ranks.run_on_rank_zero(self._prepare, teacher_folder)
        self.batch_stream.ranks.broadcast_([*self.distiller.parameters(), *self.distiller.buffers()])

    def _prepare(self, teacher_folder: Path | None) -> None:
        path = preparation_file(self.recipe, self.batch_stream.dataset.digest, teacher_folder)
        if path is None:
            self.distiller.prepare(self.batch_stream.without_augmentation)
        elif path.exists():
            load_buffers(self.distiller, path)
        else:
            self.distiller.prepare(self.batch_stream.without_augmentation)
            save_buffers(self.distiller, path)

    def train_epoch(self, epoch: int, stepped: Stepped) -> dict[str, float]:
        """Mean losses and method metrics of one epoch of training, counted from 1.

        Raises:
            DivergenceError: as soon as a loss is not finite.
        """
        course = self.start_epoch(epoch)
        for training_batch in self.slot.batches(self.batch_stream, epoch):
            loss = course.train_step(training_batch)
            stepped(course.iteration, course.iterations, loss)
        return course.finish()

    def start_epoch(self, epoch: int) -> "EpochRun":
        """An epoch's training steps, after the removal of dead channels."""
        self.student.train()
        self.distiller.start_epoch(epoch)
        if epoch > 1:
            rate = self.optimiser.param_groups[0]["lr"]
            self._slim(self.distiller.dead_channels(epoch, rate))
        return EpochRun(self, epoch)

    def _slim(self, dead: Sequence[Tensor] | None) -> None:
        """Removes dead channels from the student permanently."""
        if dead:
            # DDP stores the parameters' shapes, so its wrapper must go before they change.
            vars(self).pop("passes", None)
            if slim(self.student, self.optimiser, dead) and self.compiled:
                # Otherwise every new shape counts towards the recompilation limit.
                torch.compiler.reset()

    def step(self, training_batch: TrainingBatch) -> dict[str, float]:
        """Values of the loss (`total`) and its terms, by name, after one optimiser step on a batch."""
        student = self.passes.outputs(training_batch.images)
        terms = {
            **self._common_terms(student, training_batch.teacher, training_batch.labels),
            **self.distiller.terms(student, training_batch.teacher, training_batch.labels),
        }
        total = torch.stack([*terms.values()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        self.passes.backward(total)
        # Each rank computes all of these gradients, but their rounding may differ.
        self.batch_stream.ranks.all_reduce_mean_(
            p.grad for p in self.distiller.parameters() if p.grad is not None
        )
        self.precision.unscale_gradients(self.optimiser)
        self.distiller.edit_gradients()
        self.precision.optimizer_step(self.optimiser)
        # One transfer for all terms: every single .item() would wait for the device.
        numbers = torch.stack([total, *terms.values()]).detach().tolist()
        return dict(zip(["total", *terms], numbers, strict=True))

    def _common_terms(
        self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Tensor
    ) -> LossTerms:
        objective = self.recipe.objective
        terms = {"identity": identity_loss(student.logits, labels, objective.label_smoothing)}
        if objective.triplet_weight:
            triplet = batch_hard_triplet(student.pooled, labels, objective.triplet_margin)
            terms["triplet"] = objective.triplet_weight * triplet
        if teacher is not None and objective.logit_weight:
            divergence = logit_divergence(student.logits, teacher.logits, objective.temperature)
            terms["logit"] = objective.logit_weight * divergence
        return terms

    def state(self) -> dict[str, Any]:
        """The state that the next epoch depends on, as a checkpoint stores it."""
        return {
            "student": self.student.state_dict(),
            "distiller": self.distiller.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "precision": self.precision.state_dict(),
            "removed": removed(self.student),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restores a state that `state` returned, into a trainer that has not taken a step."""
        self._slim(state.get("removed"))
        self.student.load_state_dict(state["student"])
        self.distiller.load_state_dict(state["distiller"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.precision.load_state_dict(state["precision"])


class EpochRun:
    """The training steps of one epoch, with running sums of the losses.

    Attributes:
        iteration: training batches so far.
        iterations: training batches of the epoch.
    """

    def __init__(self, training: Trainer, epoch: int):
        self._training, self._epoch = training, epoch
        self.iteration, self.iterations = 0, len(training.batch_stream.batches(epoch))
        self._sums: dict[str, float] = {}

    def train_step(self, training_batch: TrainingBatch) -> float:
        """The loss of a training step on the next batch.

        Raises:
            DivergenceError: for a loss that is not finite.
        """
        training = self._training
        finished_epochs = self._epoch - 1 + self.iteration / self.iterations
        set_learning_rates(training.optimiser, training.recipe.schedule, finished_epochs)
        values = training.step(training_batch)
        self.iteration += 1
        if not np.isfinite(values["total"]):
            raise DivergenceError(self._divergence(values))
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in values.items()}
        return values["total"]

    def finish(self) -> dict[str, float]:
        """Mean losses and method metrics of the finished epoch.

        Raises:
            RunError: if the students of two ranks are no longer equal.
        """
        sync_and_check_replicas(
            self._training.student, self._training.distiller, self._training.batch_stream.ranks
        )
        losses = {f"loss/{name}": value / self.iterations for name, value in self._sums.items()}
        rate = self._training.optimiser.param_groups[0]["lr"]
        return {**losses, "learning_rate": rate, **self._training.distiller.report(rate)}

    def _divergence(self, values: Mapping[str, float]) -> str:
        terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        previous = self._epoch - 1
        kept = f"the checkpoint of epoch {previous} is kept" if previous else "there is no checkpoint yet"
        return (
            f"the loss is not finite in epoch {self._epoch}, iteration {self.iteration}: {terms}; {kept}. "
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        dtype = self._training.dtype
        name = str(dtype).removeprefix("torch.")
        precise = f"train with precision=float32 (it is {name} now)"
        if self._epoch == 1 and self.iteration == 1:
            # No weight has changed yet, so the learning rate cannot be the cause.
            reason = "This is the first step, so that the learning rate is not the cause: "
            if dtype is torch.float32:
                return f"{reason}look at the weights that it starts from, the images, and the loss weights."
            return f"{reason}{precise}, or lower the weights of the losses in objective and method."
        if dtype is torch.float32:
            return "It is trained in float32 already: lower schedule.peak_learning_rate."
        return f"Lower schedule.peak_learning_rate, or {precise}."
