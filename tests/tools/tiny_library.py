"""Models and catalogue entries of any form, and the opened library of them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tools.household.catalog import Archive, archives

ATTRIBUTION = "These files are under the Creative Commons Attribution 3.0 license"
UNKNOWN = "All rights reserved"
RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.2, 0.9)

Point = tuple[float, float, float]

_CUBE_CORNERS = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
_CUBE_FACES = ((1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4))


def obj(*boxes: tuple[Point, Point], material: str = "paint") -> str:
    """Boxes from low to high corner, six quadrangles each."""
    lines = ["mtllib model.mtl", f"usemtl {material}"]
    for number, (low, high) in enumerate(boxes):
        for corner in _CUBE_CORNERS:
            lines.append("v {} {} {}".format(*(low[i] + corner[i] * (high[i] - low[i]) for i in range(3))))
        lines += ["f " + " ".join(str(8 * number + corner) for corner in face) for face in _CUBE_FACES]
    return "\n".join(lines) + "\n"


def mtl(colour: Point = RED) -> str:
    return "newmtl paint\nKd {} {} {}\n".format(*colour)


def picture(seed: int, pixels: int = 128) -> bytes:
    """A JPEG file of noise around a coarse pattern, large enough for a background."""
    random = np.random.default_rng(seed)
    coarse = np.kron(random.integers(40, 216, (8, 8, 3)), np.ones((pixels // 8, pixels // 8, 1)))
    values = np.clip(coarse + random.normal(0, 20, coarse.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=95)
    return file.getvalue()


def entry(name: str, **changes: str) -> dict[str, str]:
    """A catalogue entry of a model of one metre a side."""
    return {
        "name": name.capitalize(),
        "category": "Tests",
        "model": f"/shop/{name}/{name}.obj",
        "width": "100",
        "depth": "100",
        "height": "100",
        "creator": "Ada",
        **changes,
    }


def library(
    folder: Path,
    entries: Sequence[Mapping[str, str]],
    files: Mapping[str, str | bytes],
    licence: str = ATTRIBUTION,
    name: str = "Shop",
) -> Archive:
    """The opened library of these entries and files, which lie at their paths in it."""
    lines = [f"{key}#{number}={value}" for number, one in enumerate(entries, 1) for key, value in one.items()]
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}.sh3f", "w") as archive:
        archive.writestr("LICENSE.TXT", licence)
        archive.writestr("PluginFurnitureCatalog.properties", "\n".join(lines))
        for member, content in files.items():
            archive.writestr(member, content)
    return archives(folder)[0]
