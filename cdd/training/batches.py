"""Training batches of an epoch: augmented images, labels and the teacher's outputs."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cdd.contract import Labels, RetrievalOutput
from cdd.data.augmentation import draw_views, normalise, seen
from cdd.data.prefetch import prefetched
from cdd.data.records import Dataset, TrainingSet, training_set
from cdd.data.sampler import identity_batches, part_of_rank, random_batches
from cdd.models.network import RetrievalNetwork
from cdd.recipe import RandomBatch, Recipe
from cdd.training.distributed.process_group import current_process_group
from cdd.training.grad_cache import Forward, forward_pass, gathered, in_parts
from cdd.training.networks import load_teacher, set_teacher_mode, to_device_channels_last
from cdd.training.precision import precision_plugin


@dataclass(frozen=True)
class TrainingBatch:
    """A batch of images and labels, with the teacher's outputs.

    Attributes:
        images: augmented and normalised, on the device; this rank's share of the batch.
        labels: of the whole batch.
        teacher: the teacher's outputs for the whole batch; None without a teacher.
    """

    images: Float[Tensor, "share 3 height width"]
    labels: Labels
    teacher: RetrievalOutput | None


def batch_stream_key(recipe: Recipe) -> tuple[Hashable, ...]:
    """Cache key of the training batches: recipes of equal keys train on equal batches and teacher outputs."""
    teacher = recipe.teacher if recipe.method.needs_teacher else None
    return (
        recipe.data,
        recipe.batch,
        recipe.augmentation,
        recipe.seed,
        recipe.schedule.epochs,
        recipe.precision,
        recipe.fidelity.erasing_fill,
        (teacher.run_id, recipe.fidelity.teacher_batch_norm) if teacher else None,
    )


class BatchStream:
    """The training batches of a recipe, epoch by epoch, and the frozen teacher.

    Every random draw of an epoch comes from a generator seeded by the recipe's seed and the epoch's number.
    A resumed run therefore trains on the batches of an uninterrupted run, and each rank on its share of the
    batches of a single-process run.
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
        self.recipe, self.dataset, self.device = recipe, dataset, device
        self.examples: TrainingSet = training_set(dataset, recipe.data.use)
        self.ranks = current_process_group()
        self.share = part_of_rank(recipe.batch, self.ranks.rank, self.ranks.count)
        self.part = min(recipe.batch.micro_batch_size or len(self.share), len(self.share))
        self.teacher: RetrievalNetwork | None = None
        self._forward: Forward | None = None
        if recipe.teacher is not None and recipe.method.needs_teacher:
            self.teacher = to_device_channels_last(
                load_teacher(recipe.teacher, self.examples.identities, weights), device
            )
            set_teacher_mode(self.teacher, batch_statistics=recipe.fidelity.teacher_batch_norm == "batch")
            self.ranks.frozen(self.teacher)
            self._forward = forward_pass(
                self.teacher,
                precision_plugin(device, dtype),
                compiled=compiled,
                tapped=True,
                mapped=recipe.method.reads_maps,
            )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Positions of the images of each batch of an epoch, which counts from 1."""
        generator, batch = self._generator(epoch, stream=0), self.recipe.batch
        if isinstance(batch, RandomBatch):
            return random_batches(len(self.examples.labels), batch, generator)
        return identity_batches(self.examples.labels, batch, generator)

    def of_epoch(self, epoch: int) -> Iterator[TrainingBatch]:
        """The training batches of an epoch; the next images are loaded in the background."""
        generator = self._generator(epoch, stream=1)
        fill, settings = self.recipe.fidelity.erasing_fill, self.recipe.augmentation

        def load_images(chosen: NDArray[np.int64]) -> Tensor:
            pixels = self.dataset.pixels(self.examples.indices[chosen[self.share]]).to(self.device)
            views = draw_views((len(chosen), *pixels.shape[1:]), settings, generator).of(self.share)
            return seen(pixels, views, settings.padding, fill)

        batches = self.batches(epoch)
        for batch, images in zip(batches, prefetched(load_images, batches), strict=True):
            labels = torch.from_numpy(self.examples.labels[batch]).to(self.device)
            teacher = self._teacher_outputs(images)
            yield TrainingBatch(images, labels, gathered(teacher, self.ranks) if teacher else None)

    def without_augmentation(self) -> Iterator[RetrievalOutput]:
        """The teacher's outputs for all training images, in evaluation mode, batch by batch."""
        if self.teacher is None:
            return
        mode = self.teacher.training
        indices = self.examples.indices
        parts = [indices[i : i + self.part] for i in range(0, len(indices), self.part)]
        for pixels in prefetched(self.dataset.pixels, parts):
            self.teacher.eval()
            output = self._teacher_outputs(normalise(pixels.to(self.device)))
            self.teacher.train(mode)
            if output is not None:
                yield output

    def _teacher_outputs(self, images: Tensor) -> RetrievalOutput | None:
        forward = self._forward
        if forward is None:
            return None

        def inferred(part: Tensor) -> RetrievalOutput:
            with torch.inference_mode():
                return forward(part)

        with torch.no_grad():
            # What is joined outside of inference mode can be kept by the graph of the losses.
            return in_parts(inferred, images, self.part)

    def _generator(self, epoch: int, *, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, epoch, stream])
