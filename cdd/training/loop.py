"""One training: student, teacher, distiller and optimiser, epoch by epoch."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdd.contract import LossTerms, RetrievalOutput
from cdd.data.augmentation import augment, normalise
from cdd.data.prefetch import prefetched
from cdd.data.records import Dataset, TrainingSet, training_set
from cdd.data.sampler import identity_batches, random_batches
from cdd.errors import DivergenceError
from cdd.losses import batch_hard_triplet, identity_loss, logit_divergence
from cdd.models.network import RetrievalNetwork
from cdd.recipe import RandomBatch, Recipe
from cdd.training.networks import build_student, load_teacher, placed, set_teacher_mode
from cdd.training.optimiser import build_optimiser, set_learning_rates
from cdd.training.parts import Forward, InParts, WholeBatch, in_parts
from cdd.training.precision import precision_plugin
from cdd.training.preparation import load_buffers, preparation_file, save_buffers

Stepped = Callable[[int, int, float], None]
"""Called after an iteration with its number in the epoch, the epoch's iterations and the loss."""


class Training:
    """The state of one run and the way from one epoch to the next.

    Every random draw of an epoch comes from a generator seeded by the recipe and the epoch's number,
    so a run that goes on from a checkpoint draws what the uninterrupted run would have drawn.
    """

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
        self.recipe, self.dataset, self.device, self.dtype = recipe, dataset, device, dtype
        self.examples: TrainingSet = training_set(dataset, recipe.data.use)
        identities = self.examples.identities
        self.student = placed(build_student(recipe, identities, weights), device)
        self.teacher = None
        if recipe.teacher is not None and recipe.method.needs_teacher:
            self.teacher = placed(load_teacher(recipe.teacher, identities, weights), device)
            set_teacher_mode(self.teacher, batch_statistics=recipe.fidelity.teacher_batch_norm == "batch")
        self.distiller = recipe.method.build(self.student, self.teacher, recipe.fidelity).to(device)
        self.optimiser = build_optimiser(self.student, self.distiller, recipe, scaled=dtype is torch.float16)
        self.precision = precision_plugin(device, dtype)
        self.part = min(recipe.batch.at_once or recipe.batch.size, recipe.batch.size)
        self.passes = WholeBatch(self._forward(self.student, compiled=compiled), self.precision)
        if self.part < recipe.batch.size:
            self.passes = InParts(self.passes.forward, self.precision, self.student, self.part)
        self.teacher_forward = self._forward(self.teacher, compiled=compiled) if self.teacher else None

    def _forward(self, network: RetrievalNetwork, *, compiled: bool) -> Forward:
        called = torch.compile(network) if compiled else network
        tapped, mapped = self.teacher is not None, self.recipe.method.reads_maps

        def forward(images: Tensor) -> RetrievalOutput:
            with self.precision.forward_context():
                output: RetrievalOutput = called(images, tapped=tapped, mapped=mapped)
            return output

        return forward

    def prepare(self, teacher_folder: Path | None = None) -> None:
        """Lets the method look at the teacher before the first epoch of a new run.

        Args:
            teacher_folder: where what a method finds worth keeping is looked for first, and kept.
        """
        path = preparation_file(self.recipe, self.dataset.digest, teacher_folder)
        if path is None:
            self.distiller.prepare(self._teacher_outputs)
        elif path.exists():
            load_buffers(self.distiller, path)
        else:
            self.distiller.prepare(self._teacher_outputs)
            save_buffers(self.distiller, path)

    def _teacher_outputs(self) -> Iterator[RetrievalOutput]:
        if self.teacher is None or self.teacher_forward is None:
            return
        mode = self.teacher.training
        indices = self.examples.indices
        blocks = [indices[i : i + self.part] for i in range(0, len(indices), self.part)]
        for pixels in prefetched(self.dataset.pixels, blocks):
            self.teacher.eval()
            with torch.no_grad():
                output = self.teacher_forward(normalise(pixels.to(self.device)))
            self.teacher.train(mode)
            yield output

    def train_epoch(self, epoch: int, stepped: Stepped) -> dict[str, float]:
        """Trains one epoch, counted from 1, and returns its mean losses and the method's figures.

        Raises:
            DivergenceError: as soon as a loss is not finite.
        """
        self.student.train()
        self.distiller.start_epoch(epoch)
        batches = self._batches(epoch)
        sums: dict[str, float] = {}
        for iteration, (images, labels) in enumerate(self._loaded(batches, epoch)):
            finished = epoch - 1 + iteration / len(batches)
            set_learning_rates(self.optimiser, self.recipe.schedule, finished)
            values = self._step(images, labels)
            if not np.isfinite(values["total"]):
                raise DivergenceError(self._divergence(epoch, iteration, values))
            sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            stepped(iteration + 1, len(batches), values["total"])
        losses = {f"loss/{name}": value / len(batches) for name, value in sums.items()}
        rate = self.optimiser.param_groups[0]["lr"]
        return {**losses, "learning_rate": rate, **self.distiller.report(rate)}

    def _step(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        with torch.no_grad():
            teacher = in_parts(self.teacher_forward, images, self.part) if self.teacher_forward else None
        student = self.passes.outputs(images)
        terms = {
            **self._common_terms(student, teacher, labels),
            **self.distiller.terms(student, teacher, labels),
        }
        total = torch.stack([*terms.values()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        self.passes.backward(total)
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

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        generator, batch = self._generator(epoch, stream=0), self.recipe.batch
        if isinstance(batch, RandomBatch):
            return random_batches(len(self.examples.labels), batch, generator)
        return identity_batches(self.examples.labels, batch, generator)

    def _loaded(self, batches: list[NDArray[np.int64]], epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = self._generator(epoch, stream=1)
        fill = self.recipe.fidelity.erasing_fill
        chosen = [self.examples.indices[batch] for batch in batches]
        for batch, pixels in zip(batches, prefetched(self.dataset.pixels, chosen), strict=True):
            images = pixels.to(self.device)
            labels = torch.from_numpy(self.examples.labels[batch]).to(self.device)
            yield augment(images, self.recipe.augmentation, generator, erasing_fill=fill), labels

    def _generator(self, epoch: int, *, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, epoch, stream])

    def _divergence(self, epoch: int, iteration: int, values: Mapping[str, float]) -> str:
        terms = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        kept = f"the checkpoint of epoch {epoch - 1} is kept" if epoch > 1 else "there is no checkpoint yet"
        return (
            f"the loss is not finite in epoch {epoch}, iteration {iteration + 1}: {terms}; {kept}. Lower "
            "schedule.peak_learning_rate, or train with precision=float32."
        )

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return {
            "student": self.student.state_dict(),
            "distiller": self.distiller.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "precision": self.precision.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to a state that `state` returned."""
        self.student.load_state_dict(state["student"])
        self.distiller.load_state_dict(state["distiller"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.precision.load_state_dict(state["precision"])
