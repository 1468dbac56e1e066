"""What a student is taught: the batches of an epoch, and what the teacher makes of them."""

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
from cdd.training.distributed.process_group import present
from cdd.training.grad_cache import Forward, forward_pass, gathered, in_parts
from cdd.training.networks import load_teacher, placed, set_teacher_mode
from cdd.training.precision import precision_plugin


@dataclass(frozen=True)
class Lesson:
    """One batch.

    Attributes:
        images: augmented and normalised, on the device; those of this process, where there are several.
        labels: of the whole batch.
        teacher: what the teacher makes of the whole batch; None where nobody teaches.
    """

    images: Float[Tensor, "share 3 height width"]
    labels: Labels
    teacher: RetrievalOutput | None


def subject(recipe: Recipe) -> tuple[Hashable, ...]:
    """What decides the lessons of a recipe: students of equal subjects see the same batches and teacher."""
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


class Lessons:
    """The lessons of a recipe, epoch by epoch, and the frozen teacher that gives them.

    Every random draw of an epoch comes from a generator seeded by the recipe and the epoch's number,
    so a run that goes on from a checkpoint sees what the uninterrupted run would have seen, and each of
    several processes sees its share of what one process would have seen.
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
        self.ranks = present()
        self.share = part_of_rank(recipe.batch, self.ranks.rank, self.ranks.count)
        self.part = min(recipe.batch.at_once or len(self.share), len(self.share))
        self.teacher: RetrievalNetwork | None = None
        self._forward: Forward | None = None
        if recipe.teacher is not None and recipe.method.needs_teacher:
            self.teacher = placed(load_teacher(recipe.teacher, self.examples.identities, weights), device)
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
        """Positions of the images of each lesson of an epoch, which counts from 1."""
        generator, batch = self._generator(epoch, stream=0), self.recipe.batch
        if isinstance(batch, RandomBatch):
            return random_batches(len(self.examples.labels), batch, generator)
        return identity_batches(self.examples.labels, batch, generator)

    def of_epoch(self, epoch: int) -> Iterator[Lesson]:
        """As many lessons as there are batches; the next images are made ready while a lesson is learnt."""
        generator = self._generator(epoch, stream=1)
        fill, settings = self.recipe.fidelity.erasing_fill, self.recipe.augmentation

        def ready(chosen: NDArray[np.int64]) -> Tensor:
            pixels = self.dataset.pixels(self.examples.indices[chosen[self.share]]).to(self.device)
            views = draw_views((len(chosen), *pixels.shape[1:]), settings, generator).of(self.share)
            return seen(pixels, views, settings.padding, fill)

        batches = self.batches(epoch)
        for batch, images in zip(batches, prefetched(ready, batches), strict=True):
            labels = torch.from_numpy(self.examples.labels[batch]).to(self.device)
            taught = self._taught(images)
            yield Lesson(images, labels, gathered(taught, self.ranks) if taught else None)

    def without_augmentation(self) -> Iterator[RetrievalOutput]:
        """The teacher's outputs for all training images in evaluation mode, batch by batch."""
        if self.teacher is None:
            return
        mode = self.teacher.training
        indices = self.examples.indices
        blocks = [indices[i : i + self.part] for i in range(0, len(indices), self.part)]
        for pixels in prefetched(self.dataset.pixels, blocks):
            self.teacher.eval()
            output = self._taught(normalise(pixels.to(self.device)))
            self.teacher.train(mode)
            if output is not None:
                yield output

    def _taught(self, images: Tensor) -> RetrievalOutput | None:
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
