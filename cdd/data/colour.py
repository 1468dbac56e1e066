"""Decoding of one image file by Pillow to 8-bit colour; every problem is raised as one error."""

import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from cdd.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Supported formats, whatever the file's suffix: not EPS, for example, which needs another program."""
UNMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
"""Modes whose colours are multiplied by their opacity, and the corresponding modes without."""
BITS_PER_SAMPLE = 258
"""TIFF's tag."""
QUIET = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
"""Filter that suppresses Pillow's warnings."""


class UnreadableImageError(DataError):
    """An image cannot be read; `reason` is the cause, without its path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the image {self.args[0]} cannot be read: {self.reason}. Copy it again, or save it with 8 bits"
        )


def in_colour(path: Path) -> Image.Image:
    """The image in mode RGB, decoded whole; opacity is left out, 16-bit grey is divided by 257.

    Raises:
        UnreadableImageError: if the file is damaged, too large, or no image that can be converted.
    """
    _quiet()
    try:
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        with Image.open(path, formats=FORMATS) as image:
            _require_possible(image)
            image.load()
            return _converted(image)
    # Pillow's readers raise nearly anything for a damaged file.
    except Exception as error:
        raise UnreadableImageError(path, _reason(error, path)) from error


def _quiet() -> None:
    """Suppresses Pillow's warnings, in all threads: they are harmless or raised here as errors."""
    if warnings.filters[:1] != [QUIET]:
        warnings.filterwarnings("ignore", module=QUIET[3].pattern)


def _require_possible(image: Image.Image) -> None:
    limit, pixels = Image.MAX_IMAGE_PIXELS, image.width * image.height
    if limit is not None and pixels > limit:
        raise ValueError(f"it has {pixels} pixels, more than {limit}: it could be a decompression bomb")


def _converted(image: Image.Image) -> Image.Image:
    # Only a copy with opacity would need it, and Pillow warns of some forms.
    image.info.pop("transparency", None)
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _narrowed(image).convert("RGB")
    if image.mode == "F":
        raise ValueError("its mode F (floating point) does not say which value is white")
    try:
        opaque = image.convert(UNMULTIPLIED[image.mode]) if image.mode in UNMULTIPLIED else image
        return opaque.convert("RGB")
    except (ValueError, OSError, ImportError) as error:
        raise ValueError(f"its mode {image.mode} cannot be converted: {error}") from error


def _narrowed(image: Image.Image) -> Image.Image:
    """Grey of 16 bits in 8; Pillow's own conversion cuts off at 255."""
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]
    white = 4095 if bits == 12 else 65535
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > white:
        raise ValueError(
            f"its mode {image.mode} holds values from {values.min()} to {values.max()}, "
            f"and {white} is the most that can be converted"
        )
    return Image.fromarray(((values * 255 + white // 2) // white).astype(np.uint8))


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is empty" if path.stat().st_size == 0 else f"it is no image of {', '.join(FORMATS)}"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).replace(str(path), path.name)
