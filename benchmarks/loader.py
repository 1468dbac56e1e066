"""Benchmarks of reading images from disk and of augmenting them.

Images per second are a line's number of images by its seconds. On a GPU the augmentation runs there, and
the step that reading must keep up with was not measured.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.line import Line, best_of
from cdd.contract import CODE
from cdd.data import decoded_cache
from cdd.data.augmentation import DEVIATION, MEAN, augment
from cdd.data.records import training_set
from cdd.data.registry import listed, load
from cdd.recipe import Augmentation, Data
from cdd.torchvision_guard import install
from cdd.training.calibration import measure_pace
from cdd.training.environment import Machine
from experiments.common.recipes import cdd_with_resetting

BATCH, SIZE = 96, 256
IMAGE_BY_IMAGE = "torchvision's transforms, image by image"
QUALITY = 90
SIDES = (150, 450)
"""Shortest and longest side in pixels, as of VeRi-776's vehicles, which are cut out of videos."""
GRAIN = 8
"""Pixels between what is drawn; the rest is interpolated, so that a file is as large as a photograph's."""


def reading(batch: int = BATCH, size: int = SIZE) -> Line:
    """One batch of JPEG files: prepared and mapped into memory, or decoded in every epoch.

    Raises:
        ValueError: if both ways come to other images.
    """
    data, chosen = Data(name="veri776", height=size, width=size), np.arange(batch)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_vehicles(root, batch)
        decoded = load(data, root).pixels
        decoded_cache.prepare(data, root, listed(data, root))
        mapped = load(data, root).pixels
        images = mapped(chosen)
        copy = torch.empty_like(images)
        if not torch.equal(images, decoded(chosen)):
            raise ValueError("prepared images are not the decoded ones")
        return Line(
            name=f"reading {batch} images of {size}x{size}",
            ours=best_of(5, lambda: mapped(chosen)),
            baseline=best_of(2, lambda: decoded(chosen)),
            baseline_name="JPEGs decoded each time, by all cores",
            limit=best_of(5, lambda: copy.copy_(images)),
            limit_name="a copy of their bytes",
        )


def augmenting(batch: int = BATCH, size: int = SIZE) -> Line:
    """One batch of decoded images."""
    pixels = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    images = augmented(pixels)
    copy = torch.empty_like(images)
    return Line(
        name=f"augmenting {batch} images of {size}x{size} on the CPU",
        ours=best_of(5, lambda: augmented(pixels)),
        baseline=best_of(2, lambda: one_by_one(pixels)),
        baseline_name=IMAGE_BY_IMAGE,
        limit=best_of(5, lambda: copy.copy_(images)),
        limit_name="a copy of the augmented images",
    )


def against_the_step() -> Line:
    """Reading and augmenting of CDD+RGGR at mini; the limit is the training step that goes on meanwhile."""
    recipe = cdd_with_resetting("veri776", "mini", 0)
    dataset = load(recipe.data)
    chosen = training_set(dataset, recipe.data.use).indices[: recipe.batch.size]
    size = f"{recipe.data.height}x{recipe.data.width}"
    return Line(
        name=f"reading and augmenting {len(chosen)} images of {size} (mini)",
        ours=best_of(20, lambda: augmented(dataset.pixels(chosen), recipe.augmentation)),
        baseline=best_of(5, lambda: one_by_one(dataset.pixels(chosen), recipe.augmentation)),
        baseline_name=IMAGE_BY_IMAGE,
        limit=measure_pace(recipe, machine=Machine(device="cpu")).seconds_per_step,
        limit_name="the step of CDD+RGGR on these images",
    )


def augmented(pixels: Tensor, settings: Augmentation | None = None) -> Tensor:
    """What enters the networks; the same draws at each call."""
    generator = np.random.default_rng(0)
    return augment(pixels, settings or Augmentation(), generator, erasing_fill=CODE.erasing_fill)


def one_by_one(pixels: Tensor, settings: Augmentation | None = None) -> Tensor:
    """The same recipe with torchvision's transforms, which draw for one image at a time."""
    install()
    from torchvision.transforms import v2  # noqa: PLC0415  (behind its guard)

    given = settings or Augmentation()
    recipe = v2.Compose(
        [
            v2.RandomHorizontalFlip(given.flip),
            v2.RandomCrop(tuple(pixels.shape[2:]), given.padding),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, DEVIATION),
            v2.RandomErasing(given.erasing, given.erasing_area, given.erasing_aspect, MEAN),
        ]
    )
    return torch.stack([recipe(image) for image in pixels])


def write_vehicles(root: Path, images: int) -> None:
    """A tree as VeRi-776's: half of the images for training, a quarter each for query and gallery."""
    generator = np.random.default_rng(0)
    for number in range(images):
        folder = ("image_train", "image_train", "image_query", "image_test")[number % 4]
        path = root / "VeRi" / folder / f"{number:04d}_c{number % 20 + 1:03d}_00030600_0.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = (int(side) for side in generator.integers(*SIDES, 2))
        grains = generator.integers(0, 256, (height // GRAIN, width // GRAIN, 3), dtype=np.uint8)
        drawn = Image.fromarray(grains).resize((width, height), Image.Resampling.BICUBIC)
        drawn.save(path, "JPEG", quality=QUALITY)
