"""Throughput of training and evaluation on a device, measured in a few steps on noise."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.augmentation import normalise
from cdd.data.records import CLASSIFICATION, Dataset, ImageRecord, Split
from cdd.evaluation.cost import cost
from cdd.models.deployed import Embedder
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Batch, RandomBatch, Recipe
from cdd.tensor_files import write_tensors
from cdd.training.environment import Machine, autocast_dtype, prepare
from cdd.training.throughput import Throughput
from cdd.training.trainer import Trainer

WARM_UP, MEASURED = 2, 3
RANDOM_CLASSES = 4
"""Number of classes of the noise for batches without a number of identities."""
SMALL_BATCH = Batch(identities=4, images=2)
LARGEST_STEP = 1e11
"""Multiply-adds of a batch's forward pass above which a small batch is measured on a CPU."""


def measure_pace(recipe: Recipe, machine: Machine) -> Throughput:
    """Time and memory of a few training steps of the recipe's networks on noise.

    On a CPU a large network is measured with a small batch and the time is scaled up. Reading and decoding
    images is not included, and feature queues are not yet full.
    """
    device = prepare(machine)
    small_batch = RandomBatch(size=8) if isinstance(recipe.batch, RandomBatch) else SMALL_BATCH
    batch = small_batch if device.type == "cpu" and _is_large(recipe) else recipe.batch
    small = recipe.model_copy(update={"batch": batch})
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    training = training_on_noise(small, device, compiled=machine.compiled)
    moments: list[float] = []

    def stepped(iteration: int, iterations: int, loss: float) -> None:
        moments.append(time.perf_counter())

    training.prepare()
    training.train_epoch(recipe.schedule.epochs, stepped)
    step = (moments[-1] - moments[WARM_UP - 1]) / (len(moments) - WARM_UP)
    return Throughput(
        seconds_per_step=step * recipe.batch.size / batch.size,
        seconds_per_image=_evaluation(training, device),
        peak_memory=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    )


def training_on_noise(recipe: Recipe, device: torch.device, *, compiled: bool = False) -> Trainer:
    """A trainer of the recipe's networks, from random weights, whose epoch is a few steps on noise."""
    recipe_from_random = recipe.model_copy(update={"initialisation": "random"})
    with tempfile.TemporaryDirectory() as folder:
        teacher = recipe.teacher
        weights = (
            {teacher.run_id: _teacher_file(teacher, _identities(recipe), Path(folder))} if teacher else {}
        )
        dtype = autocast_dtype(recipe, device)
        return Trainer(recipe_from_random, _noise(recipe), weights, device, dtype, compiled=compiled)


def _is_large(recipe: Recipe) -> bool:
    cost_per_image = cost(
        recipe.student, recipe.data.height, recipe.data.width, identities=_identities(recipe)
    )
    return cost_per_image.multiply_adds * recipe.batch.size > LARGEST_STEP


def _teacher_file(teacher: Recipe, identities: int, folder: Path) -> Path:
    path = folder / "weights.pt"
    write_tensors(path, RetrievalNetwork(teacher.student, identities).state_dict())
    return path


def _identities(recipe: Recipe) -> int:
    return RANDOM_CLASSES if isinstance(recipe.batch, RandomBatch) else recipe.batch.identities


def _noise(recipe: Recipe) -> Dataset:
    """A data set of noise with at least as many images as the measured steps need."""
    batch, data = recipe.batch, recipe.data
    split: Split = "pretraining" if data.use == "pretraining" else "training"
    identities = _identities(recipe)
    images_per_identity = -(-batch.size // identities) * (WARM_UP + MEASURED)
    if data.use in CLASSIFICATION:
        images_per_identity *= 2  # Up to nine images in 25 are held out.
    records = tuple(
        ImageRecord("", i, 0, split) for i in range(identities) for _ in range(images_per_identity)
    )
    generator = np.random.default_rng(0)
    pixel_values = torch.from_numpy(
        generator.integers(0, 256, (1, 3, data.height, data.width), dtype=np.uint8)
    )

    def pixels(indices: Sequence[int] | NDArray[np.int64]) -> UInt8[Tensor, "batch 3 height width"]:
        return pixel_values.expand(len(indices), -1, -1, -1).clone()

    return Dataset(name=data.name, records=records, protocols=(), pixels=pixels, digest="noise")


def _evaluation(training: Trainer, device: torch.device) -> float:
    embed = Embedder(training.student)
    indices = training.examples.indices[: training.recipe.batch.size]
    images = normalise(training.batch_stream.dataset.pixels(indices).to(device))
    with torch.inference_mode():
        float(embed(images).sum())
        started = time.perf_counter()
        float(embed(images).sum())
    return (time.perf_counter() - started) / len(images)
