"""Recipes and data that train in a second, for tests of everything around the training."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdd.architecture import Backbone
from cdd.data.records import Dataset, ImageRecord, RetrievalProtocol, Selection, Split
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, Batch, Data, Recipe, Schedule

BACKBONE = Backbone(block="bottleneck", blocks=(1, 1, 1, 1), planes=(4, 4, 8, 8), stem="small", embedding=8)
DATA = Data(name="household", height=16, width=16)
SCHEDULE = Schedule(
    epochs=3,
    peak_learning_rate=0.05,
    warmup_epochs=0.5,
    flat_until_epoch=1.5,
    final_learning_rate=0,
    step="iteration",
)
PROTOCOLS = (
    RetrievalProtocol(name="camera_rule", query=Selection(), gallery=Selection(), excludes_same_camera=True),
    RetrievalProtocol(
        name="cross_camera",
        query=Selection(cameras=frozenset({0})),
        gallery=Selection(cameras=frozenset({1, 2})),
        excludes_same_camera=False,
    ),
)


def teacher_recipe(**changes: object) -> Recipe:
    """A tiny supervised run."""
    recipe = Recipe(
        data=DATA,
        student=BACKBONE,
        initialisation="random",
        method=Supervised(),
        batch=Batch(identities=4, images=2),
        schedule=SCHEDULE,
        augmentation=Augmentation(padding=1),
        precision="float32",
    )
    return recipe.model_copy(update=changes)


def student_recipe(**changes: object) -> Recipe:
    """A tiny CDD + RGGR run that learns from `teacher_recipe()`."""
    method = CapacityDynamic(sparsity=0.5, resetting=RetrievalGuided(queue=16, after_epoch=1, ratio=0.75))
    return teacher_recipe(teacher=teacher_recipe(), compactors=True, method=method).model_copy(update=changes)


def small_dataset(height: int, width: int) -> Dataset:
    """Coloured noise: 8 identities for pretraining, training and test each, 4 for validation; 3 cameras."""
    generator = np.random.default_rng(7)
    sizes: dict[Split, int] = {"pretraining": 8, "training": 8, "validation": 4, "test": 8}
    splits = [split for split, size in sizes.items() for _ in range(size)]
    records: list[ImageRecord] = []
    images = []
    for identity, split in enumerate(splits):
        colour = generator.integers(0, 256, (3, 1, 1))
        for camera in range(3):
            for _ in range(2):
                records.append(ImageRecord(f"small#{len(records)}", identity, camera, split))
                noise = generator.integers(-60, 60, (3, height, width))
                images.append(torch.from_numpy(np.clip(colour + noise, 0, 255).astype(np.uint8)))
    stacked = torch.stack(images)

    def pixels(indices: Sequence[int] | NDArray[np.int64]) -> Tensor:
        return stacked[torch.as_tensor(np.asarray(indices))]

    return Dataset(
        name="household", records=tuple(records), protocols=PROTOCOLS, pixels=pixels, digest="small"
    )
