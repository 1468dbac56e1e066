"""A model as the renderer wants it: upright, inside the unit sphere, few triangles."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.household.catalog import Model
from tools.household.mesh import NONE, Floats, Indices, Material, Surface, parse_materials, parse_surface

LARGEST_FILE_BYTES = 3_000_000
MOST_TRIANGLES = 60_000
PICTURE_PIXELS = 256
FEW_TRIANGLES = 4_000  # up to here nothing is simplified
FINE_CELLS, COARSE_CELLS, MANY_TRIANGLES = 160.0, 110.0, 60_000
DEFAULT_MATERIAL = Material(colour=(0.75, 0.75, 0.75))


class UnusableModelError(Exception):
    """The model cannot take part; the message is the reason."""


@dataclass(frozen=True)
class Part:
    """Triangles of one material: position, normal and picture coordinates per corner, eight numbers a row."""

    material: Material
    corners: Floats
    picture: Image.Image | None


def load_parts(model: Model) -> list[Part]:
    """The parts of a model inside the unit sphere.

    Raises:
        UnusableModelError: if the file or the simplified surface is too large, or cannot be read.
    """
    if model.archive.size(model.file) > LARGEST_FILE_BYTES:
        raise UnusableModelError("model file larger than 3 MB")
    try:
        surface = parse_surface(model.archive.text(model.file))
        materials = _materials(model, surface)
    except ValueError as error:
        raise UnusableModelError(f"model file not readable: {error}") from error
    positions, normals = _normalised(surface, model)
    simplified = _simplified(surface.faces, positions)
    if sum(map(len, simplified.values())) > 3 * MOST_TRIANGLES:
        raise UnusableModelError(f"more than {MOST_TRIANGLES} triangles")
    parts = []
    for name, corners in simplified.items():
        material = materials.get(name, DEFAULT_MATERIAL)
        picture = _picture(model, material) if (corners[:, 1] != NONE).any() else None
        parts.append(Part(material, _interleaved(surface, positions, normals, corners), picture))
    return parts


def _materials(model: Model, surface: Surface) -> dict[str, Material]:
    file = f"{model.folder}/{surface.materials}"
    return parse_materials(model.archive.text(file)) if file in model.archive else {}


def _normalised(surface: Surface, model: Model) -> tuple[Floats, Floats]:
    """Positions of the catalogue's proportions centred in the unit sphere, and normals to match."""
    rotation = np.array(model.rotation, dtype=np.float32).reshape(3, 3)
    used = np.unique(np.concatenate([corners[:, 0] for corners in surface.faces.values()]))
    positions = surface.positions @ rotation.T
    low, high = positions[used].min(axis=0), positions[used].max(axis=0)
    extent = np.maximum(high - low, 1e-6)
    scale = np.array(model.size, dtype=np.float32) / extent
    # A sheet without thickness keeps none instead of being stretched.
    scale = np.where(extent / extent.max() < 1e-4, scale.min(), scale)
    positions = (positions - (low + high) / 2) * scale
    radius = np.linalg.norm(positions[used], axis=1).max()
    return (positions / radius).astype(np.float32), (surface.normals @ rotation.T / scale).astype(np.float32)


def _simplified(faces: dict[str, Indices], positions: Floats) -> dict[str, Indices]:
    """The faces without triangles that vanish or coincide on a grid finer than a pixel; moves positions."""
    triangles = sum(map(len, faces.values())) // 3
    if triangles <= FEW_TRIANGLES:
        return faces
    cells_per_unit = FINE_CELLS if triangles < MANY_TRIANGLES else COARSE_CELLS
    cells = np.round(positions * cells_per_unit).astype(np.int64)
    positions[:] = cells / cells_per_unit
    shifted = cells + 512
    numbers = (shifted[:, 0] << 20) + (shifted[:, 1] << 10) + shifted[:, 2]
    kept = {name: _distinct(corners, numbers) for name, corners in faces.items()}
    return {name: corners for name, corners in kept.items() if len(corners)}


def _distinct(corners: Indices, cell: Indices) -> Indices:
    ordered = np.sort(cell[corners[:, 0]].reshape(-1, 3), axis=1)
    _, first = np.unique(ordered, axis=0, return_index=True)
    is_kept: NDArray[np.bool_] = np.zeros(len(ordered), dtype=np.bool_)
    is_kept[first] = True
    is_kept &= (ordered[:, 0] != ordered[:, 1]) & (ordered[:, 1] != ordered[:, 2])
    return corners.reshape(-1, 3, 3)[is_kept].reshape(-1, 3)


def _interleaved(surface: Surface, positions: Floats, normals: Floats, corners: Indices) -> Floats:
    has_normal = corners[:, 2:3] != NONE
    return np.hstack(
        [
            positions[corners[:, 0]],
            np.where(has_normal, normals[np.maximum(corners[:, 2], 0)], 0.0),
            surface.coordinates[np.maximum(corners[:, 1], 0)],
        ]
    ).astype(np.float32)


def _picture(model: Model, material: Material) -> Image.Image | None:
    file = f"{model.folder}/{material.picture}"
    if material.picture is None or file not in model.archive:
        return None
    with Image.open(io.BytesIO(model.archive.read(file))) as stored:
        picture = stored.convert("RGBA")
    picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    return picture
