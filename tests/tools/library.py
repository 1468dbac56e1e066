"""A library of small coloured boxes in the form of Sweet Home 3D's archives."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CUBE = """mtllib box.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
v 1 0 1
v 1 1 1
v 0 1 1
usemtl paint
f 1 4 3 2
f 5 6 7 8
f 1 2 6 5
f 2 3 7 6
f 3 4 8 7
f 4 1 5 8
"""
LICENCE = "Models are under Creative Commons Attribution 3.0, see http://creativecommons.org/licenses/by/3.0/"


def textured(seed: int) -> bytes:
    """A picture that may serve as a background: large, and like no other."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    noise = generator.integers(0, 40, (128, 128, 3), dtype=np.uint8)
    picture = Image.fromarray(
        np.clip(np.kron(coarse, np.ones((16, 16, 1), np.uint8)) + noise, 0, 255).astype(np.uint8)
    )
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    return file.getvalue()


def entry(number: int, folder: str, size: Sequence[float] = (50, 50, 50), creator: str = "Ada") -> str:
    """The lines of one model in the catalogue."""
    values = {
        "name": folder.title(),
        "category": "Test",
        "model": f"/{folder}/box.obj",
        "width": size[0],
        "height": size[1],
        "depth": size[2],
        "creator": creator,
    }
    return "".join(f"{key}#{number}={value}\n" for key, value in values.items())


def colour(red: float, green: float, blue: float) -> str:
    """A material file of one colour."""
    return f"newmtl paint\nKd {red} {green} {blue}\n"


def write_library(
    path: Path, files: Mapping[str, str | bytes], catalogue: str, licence: str = LICENCE
) -> Path:
    """An archive with these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LICENSE.TXT", licence)
        archive.writestr("PluginFurnitureCatalog.properties", catalogue)
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def boxes(folder: Path, count: int = 24) -> Path:
    """A folder with one library of boxes: different proportions and colours, a picture beside each."""
    generator = np.random.default_rng(3)
    files: dict[str, str | bytes] = {}
    catalogue = ""
    for number in range(1, count + 1):
        # Names without a common stem: models that share one are taken for variants of each other.
        name = chr(96 + number) * 3
        files[f"{name}/{name}.obj"] = CUBE
        files[f"{name}/box.mtl"] = colour(*generator.uniform(0, 1, 3).round(2))
        files[f"{name}/wood.jpg"] = textured(number)
        catalogue += entry(number, name, generator.uniform(30, 100, 3).round(1).tolist()).replace(
            "box.obj", f"{name}.obj"
        )
    write_library(folder / "Boxes.sh3f", files, catalogue)
    return folder
