"""One image: a model before a background, perhaps behind something, through a camera's sensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tools.household.backgrounds import Scenery, background
from tools.household.camera import Camera, Difficulty, jittered_shot
from tools.household.catalog import stable_number
from tools.household.renderer import Drawable, Renderer

PIXELS, OVERSAMPLING = 64, 2
CANVAS = PIXELS * OVERSAMPLING
ATTEMPTS = 12
LEAST_COVERAGE = 0.055  # share of the image that shows the object
LEAST_CONTRAST = 0.11  # mean over those pixels of the largest channel's difference, from 0 to 1
MOST_HIDDEN = 0.35  # share of the object that an occluder may hide

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Studio:
    """Everything that the photographs of a build have in common."""

    renderer: Renderer
    cameras: tuple[Camera, ...]
    difficulty: Difficulty


@dataclass(frozen=True)
class Photograph:
    """An image and how well it shows its object."""

    pixels: Bytes
    coverage: float
    contrast: float

    @property
    def is_clear(self) -> bool:
        """Whether the object is large enough and stands out."""
        return self.coverage >= LEAST_COVERAGE and self.contrast >= LEAST_CONTRAST


def photograph(
    studio: Studio, drawables: Sequence[Drawable], scenery: Scenery, key: str, place: tuple[int, int]
) -> Photograph | None:
    """The first clear photograph of an object; None if there is none within the attempts.

    Every attempt has its own random stream, of the object's key, camera, view and attempt: what other
    objects the data set has changes nothing.

    Args:
        place: number of the camera and of the view by this camera.
    """
    for attempt in range(ATTEMPTS):
        random = np.random.default_rng([stable_number(key), *place, attempt])
        taken = _taken(studio, drawables, scenery, place[0], random)
        if taken.is_clear:
            return taken
    return None


def _taken(
    studio: Studio, drawables: Sequence[Drawable], scenery: Scenery, number: int, random: Generator
) -> Photograph:
    camera, difficulty = studio.cameras[number], studio.difficulty
    shot = jittered_shot(camera, difficulty.azimuth_jitter_degrees, random)
    drawn = studio.renderer.draw(drawables, shot)
    softness = difficulty.background_softness
    empty = background(scenery, number, softness, CANVAS, random) * np.array(camera.ambient, np.float32) * 1.9
    scene = drawn[..., :3] + empty * (1 - drawn[..., 3:])
    is_object = drawn[..., 3] > 0.05
    is_seen = is_object
    if random.random() < difficulty.occlusion_probability:
        scene, is_seen = _occluded(scene, is_object, scenery, random)
    exposure = camera.gain * random.uniform(0.85, 1.15)
    difference = np.abs(np.clip(scene * exposure, 0, 1) - np.clip(empty * exposure, 0, 1)).max(axis=2)
    contrast = float(difference[is_seen].mean()) if is_seen.any() else 0.0
    return Photograph(_sensed(scene * exposure, camera, random), float(is_seen.mean()), contrast)


def _occluded(
    scene: Floats, is_object: NDArray[np.bool_], scenery: Scenery, random: Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """The scene behind a box at its edge, and which pixels still show the object."""
    width, height = (random.uniform(0.12, 0.35, 2) * CANVAS).astype(int).tolist()
    left, top = int(random.integers(0, CANVAS - width)), int(random.integers(0, CANVAS - height))
    if random.random() < 0.5:
        left = 0 if random.random() < 0.5 else CANVAS - width
    else:
        top = CANVAS - height
    box = np.s_[top : top + height, left : left + width]
    is_seen = is_object.copy()
    is_seen[box] = False
    if is_seen.sum() < (1 - MOST_HIDDEN) * is_object.sum():
        return scene, is_object
    hidden = scene.copy()
    picture = np.asarray(scenery.any(random).resize((width, height)), dtype=np.float32)
    hidden[box] = picture / 255 * random.uniform(0.4, 0.9)
    return hidden, is_seen


def _sensed(scene: NDArray[np.floating[Any]], camera: Camera, random: Generator) -> Bytes:
    sharp = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    small = sharp.resize((PIXELS, PIXELS), Image.Resampling.BOX)
    blurred = small.filter(ImageFilter.GaussianBlur(camera.blur * PIXELS))
    noisy = np.asarray(blurred, dtype=np.float32) + random.normal(0, camera.noise, (PIXELS, PIXELS, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)
