"""Reads the text formats of the models: surfaces (OBJ) and materials (MTL)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
NONE, OUTSIDE = -1, -2


@dataclass(frozen=True)
class Material:
    """How a part of a surface looks; colours and opacity from 0 to 1."""

    colour: tuple[float, float, float] = (0.8, 0.8, 0.8)
    shine: float = 0.0
    opacity: float = 1.0
    picture: str | None = None


@dataclass(frozen=True)
class Surface:
    """Triangles by material.

    Attributes:
        faces: by material, one row per corner (three rows a triangle): index into positions, into
            coordinates and into normals, `NONE` where there is none.
        materials: name of the file that describes the materials.
    """

    positions: Floats
    coordinates: Floats
    normals: Floats
    faces: dict[str, Indices]
    materials: str | None


def parse_materials(text: str) -> dict[str, Material]:
    """The materials of an MTL file by name; statements that are not drawn are ignored."""
    found: dict[str, Material] = {}
    name = None
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "newmtl":
            name = " ".join(words[1:])
            found[name] = Material()
        elif name is not None:
            found[name] = _with_statement(found[name], words)
    return found


def _with_statement(material: Material, words: list[str]) -> Material:
    match words[0]:
        case "Kd":
            red, green, blue = (float(word) for word in words[1:4])
            return replace(material, colour=(red, green, blue))
        case "Ks":
            return replace(material, shine=sum(float(word) for word in words[1:4]) / 3)
        case "d":
            return replace(material, opacity=float(words[-1]))
        case "Tr" if material.opacity == 1.0:
            return replace(material, opacity=1.0 - float(words[1]))
        case "map_Kd":
            return replace(material, picture=" ".join(words[1:]).replace("\\", "/"))
    return material


def parse_surface(text: str) -> Surface:
    """The surface of an OBJ file; polygons become fans of triangles.

    Raises:
        ValueError: if there is no face, or one of a row that does not exist, or a number cannot be read.
    """
    rows: dict[str, list[list[str]]] = {"v": [], "vt": [], "vn": []}
    faces: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    current, materials = faces[""], None
    for line in text.splitlines():
        kind, rest = (*line.split(maxsplit=1), "", "")[:2]
        if kind in rows:
            rows[kind].append(rest.split())
        elif kind == "f":
            counts = (len(rows["v"]), len(rows["vt"]), len(rows["vn"]))
            current.extend(_fan([_corner(word, counts) for word in rest.split()]))
        elif kind == "usemtl":
            current = faces[rest.strip()]
        elif kind == "mtllib":
            materials = rest.strip()
    filled = {name: np.array(corners, dtype=np.int64) for name, corners in faces.items() if corners}
    if not filled:
        raise ValueError("the surface has no face")
    tables = _table(rows["v"], 3), _table(rows["vt"], 2), _table(rows["vn"], 3)
    _check_indices(np.concatenate(list(filled.values())), [len(table) for table in tables])
    return Surface(*tables, filled, materials)


def _check_indices(corners: Indices, counts: Sequence[int]) -> None:
    # Only a position cannot be left out.
    if (corners < (0, NONE, NONE)).any() or (corners >= counts).any():
        raise ValueError("a face refers to a row that does not exist")


def _corner(word: str, counts: tuple[int, int, int]) -> tuple[int, int, int]:
    parts = [int(part) if part else 0 for part in word.split("/")]
    parts += [0] * (3 - len(parts))
    position, coordinate, normal = (
        _from_zero(part, count) for part, count in zip(parts, counts, strict=True)
    )
    return position, coordinate, normal


def _from_zero(index: int, count: int) -> int:
    if index == 0:
        return NONE
    # Negative numbers count back from the last row that was read so far.
    row = index - 1 if index > 0 else count + index
    return row if row >= 0 else OUTSIDE


def _fan(corners: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return [
        corner
        for second, third in zip(corners[1:], corners[2:], strict=False)
        for corner in (corners[0], second, third)
    ]


def _table(rows: list[list[str]], width: int) -> Floats:
    # Without a row the table gets one of zeros, so that an index can always be looked up.
    return np.array([row[:width] for row in rows] or [["0"] * width], dtype=np.float32)
