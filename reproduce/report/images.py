"""Pictures of the page, which carries them itself."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
"""Best first: what is drawn as lines stays sharp at every size."""
POINTS_TO_PIXELS = 4 / 3


@dataclass(frozen=True)
class Image:
    """A picture as a data address.

    Attributes:
        width: and height, in pixels of the page.
    """

    source: str
    width: int
    height: int


def image(stem: Path) -> Image | None:
    """The best picture among the files of this name; None where there is none."""
    path = next((found for suffix in TYPES if (found := stem.with_name(stem.name + suffix)).exists()), None)
    if path is None:
        return None
    content = path.read_bytes()
    width, height = _pixels(content) if path.suffix == ".png" else _points(content)
    text = base64.b64encode(content).decode()
    return Image(f"data:{TYPES[path.suffix]};base64,{text}", width, height)


def _pixels(png: bytes) -> tuple[int, int]:
    with PIL.Image.open(io.BytesIO(png)) as picture:
        return picture.size


def _points(svg: bytes) -> tuple[int, int]:
    """From the lengths that the file gives, which are points."""
    width, height = (
        re.search(rb'<svg [^>]*?\b%s="([\d.]+)pt"' % name, svg) for name in (b"width", b"height")
    )
    if width is None or height is None:
        raise ValueError("the picture has no size in points: draw it again")
    return round(float(width[1]) * POINTS_TO_PIXELS), round(float(height[1]) * POINTS_TO_PIXELS)
