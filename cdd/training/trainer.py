"""One training: a student learns from its lessons, epoch by epoch."""

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
from cdd.training.batches import Lesson, Lessons, subject
from cdd.training.distributed.process_group import reunite
from cdd.training.grad_cache import InParts, WholeBatch, forward_pass
from cdd.training.multi_student import seat_here
from cdd.training.networks import build_student, placed
from cdd.training.optimiser import build_optimiser, set_learning_rates, slim
from cdd.training.precision import precision_plugin
from cdd.training.preparation import load_buffers, preparation_file, save_buffers

Stepped = Callable[[int, int, float], None]
"""Called after an iteration with its number in the epoch, the epoch's iterations and the loss."""


class Training:
    """The state of one student's run and the way from one lesson to the next."""

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
        self.recipe, self.seat, self.compiled = recipe, seat_here(), compiled
        self.dtype = dtype
        speaker = self.seat.speaker(recipe)
        self.lessons = self.seat.shared(
            (Lessons, subject(recipe), dtype),
            lambda: Lessons(speaker, dataset, weights, device, dtype, compiled=compiled),
        )
        self.examples, self.teacher = self.lessons.examples, self.lessons.teacher
        self.student = placed(build_student(recipe, self.examples.identities, weights), device)
        self.distiller = recipe.method.build(self.student, self.teacher, recipe.fidelity).to(device)
        self.optimiser = build_optimiser(self.student, self.distiller, recipe, scaled=dtype is torch.float16)
        self.precision = precision_plugin(device, dtype)

    @cached_property
    def passes(self) -> WholeBatch:
        """How batches pass through the student in its present shape; several processes make it together."""
        ranks, part = self.lessons.ranks, self.lessons.part
        called = ranks.wrapped(self.student)
        forward = forward_pass(
            called,
            self.precision,
            compiled=self.compiled,
            tapped=self.teacher is not None,
            mapped=self.recipe.method.reads_maps,
        )
        if part < len(self.lessons.share):
            return InParts(forward, self.precision, called, part, ranks)
        return WholeBatch(forward, self.precision, ranks)

    def prepare(self, teacher_folder: Path | None = None) -> None:
        """Lets the method look at the teacher before the first epoch of a new run.

        The first process does it for all.

        Args:
            teacher_folder: where what a method finds worth keeping is looked for first, and kept.
        """
        self.lessons.ranks.first_does(self._prepare, teacher_folder)
        self.lessons.ranks.copy_from_first([*self.distiller.parameters(), *self.distiller.buffers()])

    def _prepare(self, teacher_folder: Path | None) -> None:
        path = preparation_file(self.recipe, self.lessons.dataset.digest, teacher_folder)
        if path is None:
            self.distiller.prepare(self.lessons.without_augmentation)
        elif path.exists():
            load_buffers(self.distiller, path)
        else:
            self.distiller.prepare(self.lessons.without_augmentation)
            save_buffers(self.distiller, path)

    def train_epoch(self, epoch: int, stepped: Stepped) -> dict[str, float]:
        """Trains one epoch, counted from 1, and returns its mean losses and the method's figures.

        Raises:
            DivergenceError: as soon as a loss is not finite.
        """
        course = self.start_epoch(epoch)
        for lesson in self.seat.attended(self.lessons, epoch):
            loss = course.learn(lesson)
            stepped(course.iteration, course.iterations, loss)
        return course.finish()

    def start_epoch(self, epoch: int) -> "Course":
        """What takes the student through the lessons of an epoch."""
        self.student.train()
        self.distiller.start_epoch(epoch)
        if epoch > 1:
            rate = self.optimiser.param_groups[0]["lr"]
            self._slim(self.distiller.dead_channels(epoch, rate))
        return Course(self, epoch)

    def _slim(self, dead: Sequence[Tensor] | None) -> None:
        """Takes dead channels out of the student, for good."""
        if dead:
            # It has noted the shapes, and DDP must be gone before they change.
            vars(self).pop("passes", None)
            if slim(self.student, self.optimiser, dead) and self.compiled:
                # Else every shape would count against the number of times that one code may be compiled.
                torch.compiler.reset()

    def step(self, lesson: Lesson) -> dict[str, float]:
        """Learns from one batch; the loss `total` and its terms by name."""
        student = self.passes.outputs(lesson.images)
        terms = {
            **self._common_terms(student, lesson.teacher, lesson.labels),
            **self.distiller.terms(student, lesson.teacher, lesson.labels),
        }
        total = torch.stack([*terms.values()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        self.passes.backward(total)
        # Each process has all of these gradients by itself, but perhaps rounded in another way.
        self.lessons.ranks.average(p.grad for p in self.distiller.parameters() if p.grad is not None)
        self.precision.unscale_gradients(self.optimiser)
        self.distiller.edit_gradients()
        self.precision.optimizer_step(self.optimiser)
        # One transfer for all terms: each .item() alone would wait for the device.
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
        """Everything that the next epoch depends on."""
        return {
            "student": self.student.state_dict(),
            "distiller": self.distiller.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "precision": self.precision.state_dict(),
            "removed": removed(self.student),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes on, in a training that has not begun, from a state that `state` returned."""
        self._slim(state.get("removed"))
        self.student.load_state_dict(state["student"])
        self.distiller.load_state_dict(state["distiller"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.precision.load_state_dict(state["precision"])


class Course:
    """A student's way through the lessons of one epoch.

    Attributes:
        iteration: lessons learnt so far.
        iterations: lessons of the epoch.
    """

    def __init__(self, training: Training, epoch: int):
        self._training, self._epoch = training, epoch
        self.iteration, self.iterations = 0, len(training.lessons.batches(epoch))
        self._sums: dict[str, float] = {}

    def learn(self, lesson: Lesson) -> float:
        """Learns from the next lesson and returns its loss.

        Raises:
            DivergenceError: for a loss that is not finite.
        """
        training = self._training
        finished = self._epoch - 1 + self.iteration / self.iterations
        set_learning_rates(training.optimiser, training.recipe.schedule, finished)
        values = training.step(lesson)
        self.iteration += 1
        if not np.isfinite(values["total"]):
            raise DivergenceError(self._divergence(values))
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in values.items()}
        return values["total"]

    def finish(self) -> dict[str, float]:
        """Ends the epoch; the mean losses and the method's figures.

        Raises:
            RunError: where processes that train together no longer have the same student.
        """
        reunite(self._training.student, self._training.distiller, self._training.lessons.ranks)
        losses = {f"loss/{name}": value / self.iterations for name, value in self._sums.items()}
        rate = self._training.optimiser.param_groups[0]["lr"]
        return {**losses, "learning_rate": rate, **self._training.distiller.report(rate)}

    def _divergence(self, values: Mapping[str, float]) -> str:
        terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        before = self._epoch - 1
        kept = f"the checkpoint of epoch {before} is kept" if before else "there is no checkpoint yet"
        return (
            f"the loss is not finite in epoch {self._epoch}, iteration {self.iteration}: {terms}; {kept}. "
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        dtype = self._training.dtype
        name = str(dtype).removeprefix("torch.")
        precise = f"train with precision=float32 (it is {name} now)"
        if self._epoch == 1 and self.iteration == 1:
            # No weight has moved yet, so that no learning rate can be the cause.
            reason = "This is the first step, so that the learning rate is not the cause: "
            if dtype is torch.float32:
                return f"{reason}look at the weights that it starts from, the images, and the loss weights."
            return f"{reason}{precise}, or lower the weights of the losses in objective and method."
        if dtype is torch.float32:
            return "It is trained in float32 already: lower schedule.peak_learning_rate."
        return f"Lower schedule.peak_learning_rate, or {precise}."
