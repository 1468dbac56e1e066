"""Walls, floors and occluders: pictures from the archives, other ones for every use of the data."""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from tools.household.catalog import Archive, Model, stable_number
from tools.household.licences import Credit

WANTED = re.compile(
    r"wood|mader|oak|floor|wall|tile|stone|marb|fabric|brick|parq|metal|leather|pine|tela|cherry|granit"
    r"|plan[ck]|teca|teak|butcher|beige"
)
UNWANTED = re.compile(r"snow|bowl|bump|carpet|clothes|logs|pineTexture|rock", re.I)
LEAST_BYTES, LEAST_PIXELS, PICTURE_PIXELS = 6_000, 96, 256
SAME_THUMBNAIL = 6.0  # mean difference in grey levels
CHOICES = 5  # pictures that one camera takes its walls (and its floors) from


@dataclass(frozen=True)
class Texture:
    """A picture for backgrounds and where it comes from."""

    library: str
    file: str
    credit: Credit
    picture: Image.Image = field(repr=False)


@dataclass(frozen=True)
class Scenery:
    """The pictures of one use of the data: pretraining, training with validation, or test."""

    textures: tuple[Texture, ...]

    def any(self, random: Generator) -> Image.Image:
        """Any of the pictures."""
        return self.textures[int(random.integers(len(self.textures)))].picture

    def of_camera(self, camera: int, part: int, random: Generator) -> Image.Image:
        """One of the camera's few pictures for a part of the background (0 wall, 1 floor)."""
        first = camera * 3 + part * CHOICES
        return self.textures[(first + int(random.integers(CHOICES))) % len(self.textures)].picture


def textures(archives: Iterable[Archive], models: Iterable[Model]) -> list[Texture]:
    """All pictures fit for backgrounds, of models with an established licence, no two alike."""
    credits = {(model.archive.library, model.folder.lower()): model.credit for model in models}
    found: list[Texture] = []
    thumbnails: list[NDArray[np.float32]] = []
    for archive in archives:
        for name in sorted(archive.members.values()):
            credit = credits.get((archive.library, name.rsplit("/", 1)[0].lower()))
            picture = _picture(archive, name) if credit else None
            if credit is None or picture is None:
                continue
            thumbnail = np.asarray(picture.resize((8, 8), Image.Resampling.BOX), dtype=np.float32)
            if all(np.abs(thumbnail - other).mean() >= SAME_THUMBNAIL for other in thumbnails):
                thumbnails.append(thumbnail)
                found.append(Texture(archive.library, name, credit, picture))
    return found


def _picture(archive: Archive, name: str) -> Image.Image | None:
    file = name.rsplit("/", 1)[-1].lower()
    if not file.endswith(".jpg") or not WANTED.search(file) or UNWANTED.search(name):
        return None
    if archive.size(name) < LEAST_BYTES:
        return None
    with Image.open(io.BytesIO(archive.read(name))) as stored:
        picture = stored.convert("RGB")
    if min(picture.size) < LEAST_PIXELS:
        return None
    picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return picture


def sceneries(available: list[Texture], count: int) -> tuple[Scenery, ...]:
    """`count` sceneries that share no picture, dealt in the order of a stable number of library and file."""
    ordered = sorted(available, key=lambda texture: stable_number(f"{texture.library}/{texture.file}"))
    return tuple(Scenery(tuple(ordered[first::count])) for first in range(count))


def background(
    scenery: Scenery, camera: int, softness: float, pixels: int, random: Generator
) -> NDArray[np.float32]:
    """A wall above a floor, from 0 to 1.

    Args:
        softness: 0 keeps the pictures as they are, 1 leaves their mean colour.
        pixels: side of the square image.
    """
    image = np.zeros((pixels, pixels, 3), dtype=np.float32)
    horizon = int(pixels * (0.35 + 0.25 * random.random()))
    for part, (top, bottom) in enumerate(((0, horizon), (horizon, pixels))):
        picture = _cut(scenery.of_camera(camera, part, random), random)
        scaled = picture.resize((pixels, bottom - top), Image.Resampling.BILINEAR)
        values = np.asarray(scaled, dtype=np.float32) / 255 * random.uniform(0.6, 1.0)
        image[top:bottom] = values * (1 - softness) + softness * values.mean(axis=(0, 1))
    return image


def _cut(picture: Image.Image, random: Generator) -> Image.Image:
    width = max(8, int(picture.width * random.uniform(0.5, 1.0)))
    height = min(picture.height, width)
    left = int(random.integers(0, picture.width - width + 1))
    top = int(random.integers(0, picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))
