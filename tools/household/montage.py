"""A picture of many identities for a look at the data: a row each, six cameras side by side."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tools.household.camera import CAMERAS
from tools.household.freeze import FILE

GAP, COLUMNS, COLOURS = 8, 2, 128


def montage(folder: Path, identities: Sequence[int], view: int = 0) -> Image.Image:
    """The images of these identities in a frozen file, two identities side by side.

    Args:
        view: which of each camera's images to show.
    """
    with np.load(folder / FILE) as stored:
        data, offset = stored["data"], stored["offset"]
        columns = (stored["identity"], stored["camera"], stored["view"])
    place = {(int(i), int(c), int(v)): index for index, (i, c, v) in enumerate(zip(*columns, strict=True))}
    first = _decoded(data[offset[0] : offset[1]].tobytes())
    side, rows = first.width, -(-len(identities) // COLUMNS)
    block = CAMERAS * side + GAP
    sheet = Image.new("RGB", (COLUMNS * block - GAP, rows * side))
    for number, identity in enumerate(identities):
        for camera in range(CAMERAS):
            index = place[identity, camera, view]
            picture = _decoded(data[offset[index] : offset[index + 1]].tobytes())
            sheet.paste(picture, (number // rows * block + camera * side, number % rows * side))
    return sheet


def _decoded(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as stored:
        return stored.convert("RGB")


def spread_identities(folder: Path, count: int) -> list[int]:
    """`count` identities at equal steps through the data set; all if there are fewer."""
    with np.load(folder / FILE) as stored:
        total = len(json.loads(stored["meta"].item()))
    shown = min(count, total)
    return [number * total // shown for number in range(shown)]


def save_montage(sheet: Image.Image, file: Path) -> None:
    """Writes a montage as a PNG file with few colours, which keeps it small."""
    sheet.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        file, optimize=True
    )
