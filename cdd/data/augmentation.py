"""Augmentation of a whole batch at once: flip, pad and crop, normalise, erase.

torchvision's transforms draw once per call, so a batch would need a loop over its images; here every
image has its own draw. The draws come from a numpy generator on the CPU, so every device sees the same.
"""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from cdd.recipe import Augmentation

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
ERASING_ATTEMPTS = 100

Images = UInt8[Tensor, "batch 3 height width"]
Normalised = Float[Tensor, "batch 3 height width"]


def normalise(images: Images) -> Normalised:
    """Pixels 0..255 to ImageNet's z-scores, channels last in memory."""
    mean, deviation = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    scores = images.float().div_(255).sub_(mean).div_(deviation)
    return scores.contiguous(memory_format=torch.channels_last)


def augment(
    images: Images,
    settings: Augmentation,
    generator: np.random.Generator,
    *,
    erasing_fill: Literal["mean", "zero"],
) -> Normalised:
    """One random view of every image.

    Args:
        erasing_fill: `mean` writes the channel means of ImageNet into the normalised image, as the
            authors' release does; `zero` writes 0, which is the mean image there.

    Source: Section 4.2 and the authors' release (order, padding in black before normalisation, uniform
    aspect ratio, up to 100 attempts for a box that fits).
    """
    cropped = _flipped_crops(images, settings, generator)
    scores = normalise(cropped)
    boxes = torch.from_numpy(erased(tuple(images.shape), settings, generator)).to(images.device)
    fill = torch.tensor(MEAN if erasing_fill == "mean" else (0.0, 0.0, 0.0), device=images.device)
    return torch.where(boxes[:, None], fill.view(1, 3, 1, 1), scores)


def _flipped_crops(images: Images, settings: Augmentation, generator: np.random.Generator) -> Images:
    count, _, height, width = images.shape
    flips = generator.random(count) < settings.flip
    top, left = (generator.integers(0, 2 * settings.padding + 1, count) for _ in range(2))
    # Flipping comes first in the recipe: the column that a crop reads is mirrored in the flipped image.
    columns = left[:, None] + np.arange(width)
    columns = np.where(flips[:, None], width + 2 * settings.padding - 1 - columns, columns)
    padded = F.pad(images, [settings.padding] * 4).permute(0, 2, 3, 1)
    rows = _indices(top[:, None] + np.arange(height), images)
    batch = torch.arange(count, device=images.device)
    crops = padded[batch[:, None, None], rows[:, :, None], _indices(columns, images)[:, None, :]]
    return crops.permute(0, 3, 1, 2)


def _indices(values: Int64[np.ndarray, "batch size"], like: Tensor) -> Int64[Tensor, "batch size"]:
    return torch.from_numpy(values).to(like.device)


def erased(
    shape: tuple[int, ...], settings: Augmentation, generator: np.random.Generator
) -> Bool[np.ndarray, "batch height width"]:
    """True where random erasing covers a pixel; one box at most per image.

    Source: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, with the release's uniform aspect.
    """
    count, _, height, width = shape
    chosen = generator.random(count) < settings.erasing
    size = (count, ERASING_ATTEMPTS)
    area = generator.uniform(*settings.erasing_area, size) * height * width
    aspect = generator.uniform(*settings.erasing_aspect, size)
    tall, wide = np.rint(np.sqrt(area * aspect)).astype(int), np.rint(np.sqrt(area / aspect)).astype(int)
    fits = (tall < height) & (wide < width)
    first = fits.argmax(axis=1)
    tall, wide = (np.take_along_axis(v, first[:, None], axis=1)[:, 0] for v in (tall, wide))
    chosen &= fits.any(axis=1)
    # One draw in [0, 1) per image serves any box size, so the stream does not depend on the boxes.
    top, left = generator.random(count) * (height - tall + 1), generator.random(count) * (width - wide + 1)
    rows, columns = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    top, left = np.floor(top)[:, None, None], np.floor(left)[:, None, None]
    in_rows = (rows >= top) & (rows < top + tall[:, None, None])
    in_columns = (columns >= left) & (columns < left + wide[:, None, None])
    inside: Bool[np.ndarray, "batch height width"] = in_rows & in_columns & chosen[:, None, None]
    return inside
