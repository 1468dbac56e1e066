"""Augmentation of a batch, image by image."""

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from cdd.data.augmentation import DEVIATION, MEAN, augment, draw_views, erased, normalise, seen
from cdd.recipe import Augmentation

Fill = Literal["mean", "zero"]
NOTHING = Augmentation(flip=0, padding=0, erasing=0)


@pytest.fixture
def images(generator: torch.Generator) -> Tensor:
    return torch.randint(0, 256, (6, 3, 12, 8), dtype=torch.uint8, generator=generator)


def augmented(images: Tensor, settings: Augmentation, seed: int = 0, fill: Fill = "mean") -> Tensor:
    return augment(images, settings, np.random.default_rng(seed), erasing_fill=fill)


def masks(shape: tuple[int, ...], settings: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """True where a pixel is erased: (batch, height, width)."""
    rows, columns = erased(shape, settings, generator)
    inside: np.ndarray = rows[:, :, None] & columns[:, None, :]
    return inside


def test_nothing_to_do_leaves_the_normalised_image(images: Tensor) -> None:
    torch.testing.assert_close(augmented(images, NOTHING), normalise(images), rtol=0, atol=0)


def test_normalised_pixels_are_z_scores(images: Tensor) -> None:
    back = normalise(images) * torch.tensor(DEVIATION).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    torch.testing.assert_close(back * 255, images.float(), rtol=0, atol=1e-3)


def test_a_certain_flip_mirrors_every_image(images: Tensor) -> None:
    found = augmented(images, NOTHING.model_copy(update={"flip": 1.0}))
    torch.testing.assert_close(found, normalise(images).flip(3), rtol=0, atol=0)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_crop_is_a_window_of_the_image_in_black(images: Tensor, flip: float) -> None:
    padding = 2
    found = augmented(images, Augmentation(flip=flip, padding=padding, erasing=0))
    source = images.flip(3) if flip else images
    padded = normalise(torch.nn.functional.pad(source, [padding] * 4))
    for image, wide in zip(found, padded, strict=True):
        windows = [wide[:, top : top + 12, left : left + 8] for top in range(5) for left in range(5)]
        assert any(torch.equal(image, window) for window in windows)


def test_every_image_is_flipped_then_cropped_as_it_was_drawn(images: Tensor) -> None:
    padding, generator = 2, np.random.default_rng(3)
    flips = generator.random(6) < 0.5
    tops, lefts = generator.integers(0, 5, 6), generator.integers(0, 5, 6)
    found = augmented(images, Augmentation(padding=padding, erasing=0), seed=3)
    assert flips.any()
    assert not flips.all()
    for image, view, flip, top, left in zip(images, found, flips, tops, lefts, strict=True):
        padded = torch.nn.functional.pad(image.flip(2) if flip else image, [padding] * 4)
        crop = padded[None, :, top : top + 12, left : left + 8]
        torch.testing.assert_close(view, normalise(crop)[0], rtol=0, atol=0)


def test_images_of_a_batch_have_their_own_draws() -> None:
    image = torch.arange(12 * 8, dtype=torch.uint8).view(1, 1, 12, 8).repeat(40, 3, 1, 1)
    found = augmented(image, Augmentation(padding=3))
    assert len({tuple(view.flatten().tolist()) for view in found}) > 20


def test_the_same_generator_draws_the_same_views(images: Tensor) -> None:
    settings = Augmentation(padding=2)
    torch.testing.assert_close(augmented(images, settings, 5), augmented(images, settings, 5), rtol=0, atol=0)
    assert not torch.equal(augmented(images, settings, 5), augmented(images, settings, 6))


@pytest.mark.parametrize(("fill", "values"), [("mean", MEAN), ("zero", (0.0, 0.0, 0.0))])
def test_erased_pixels_hold_the_fill(images: Tensor, fill: Fill, values: tuple[float, ...]) -> None:
    settings = Augmentation(flip=0, padding=0, erasing=1)
    found = augmented(images, settings, fill=fill)
    boxes = torch.from_numpy(masks((6, 3, 12, 8), settings, _after_crops(6)))
    assert boxes.any(dim=(1, 2)).all()
    for channel, value in enumerate(values):
        assert (found[:, channel][boxes] == torch.tensor(value)).all()
    torch.testing.assert_close(
        found.permute(0, 2, 3, 1)[~boxes], normalise(images).permute(0, 2, 3, 1)[~boxes]
    )


def _after_crops(count: int) -> np.random.Generator:
    generator = np.random.default_rng(0)
    generator.random(count)
    for _ in range(2):
        generator.integers(0, 1, count)
    return generator


def test_some_images_of_a_batch_are_seen_as_they_are_among_all(images: Tensor) -> None:
    settings = Augmentation(padding=2)
    views = draw_views(tuple(images.shape), settings, np.random.default_rng(3))
    some = np.array([4, 1, 5])
    found = seen(images[some], views.of(some), settings.padding, "mean")
    torch.testing.assert_close(found, augmented(images, settings, 3)[some], rtol=0, atol=0)


def test_erased_boxes_are_rectangles_with_the_area_and_shape_asked_for() -> None:
    settings = Augmentation(erasing=1)
    boxes = masks((2000, 3, 64, 64), settings, np.random.default_rng(0))
    rows, columns = boxes.any(axis=2).sum(axis=1), boxes.any(axis=1).sum(axis=1)
    assert (boxes.sum(axis=(1, 2)) == rows * columns).all()
    share = rows * columns / 64**2
    assert share.min() > 0.015
    assert share.max() < 0.42
    # Measured on the authors' transform: 0.20 of the image, 77 % of the boxes taller than wide.
    assert share.mean() == pytest.approx(0.20, abs=0.01)
    assert (rows > columns).mean() == pytest.approx(0.77, abs=0.03)


def test_half_of_the_images_are_erased() -> None:
    boxes = masks((4000, 3, 16, 16), Augmentation(), np.random.default_rng(1))
    assert boxes.any(axis=(1, 2)).mean() == pytest.approx(0.5, abs=0.03)
