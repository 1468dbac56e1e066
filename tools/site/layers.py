"""The drawing of the layers: which part of each package may import which, from the test that holds them."""

import ast
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from tests.test_architecture import FLOORS, LAYERS, PROJECT
from tools.site.markdown import table

Layers = Sequence[Sequence[str]]
"""Names of parts from the top to the ground."""
LETTER, PADDING, BOX, GAP, SPACE = 8, 20, 30, 22, 10
"""Pixels: a letter, the space around a name, a box's height, the space between layers and between boxes."""


def packages() -> dict[str, Layers]:
    """The three packages with their layers, the one that imports the others first."""
    by_layer = groupby(sorted(LAYERS, key=LAYERS.__getitem__, reverse=True), LAYERS.__getitem__)
    floors = {name: [layer.split() for layer in text.split("<")][::-1] for name, text in FLOORS.items()}
    return {**floors, "cdd": [sorted(parts) for _, parts in by_layer]}


def markdown() -> str:
    """One section per package: the drawing, and a table of what lives in each part."""
    parts = [svg([[package] for package in packages()], "The three packages")]
    for package, layers in packages().items():
        rows = [(f"`{package}.{name}`", described(package, name)) for layer in layers for name in layer]
        parts += [
            f"## {package}",
            svg(layers, f"Layers of {package}"),
            table(("part", "what is in it"), rows),
        ]
    return "\n\n".join(parts)


def described(package: str, name: str) -> str:
    """The first sentence of a part's docstring; empty where it has none."""
    folder = PROJECT / package / name
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return _first_line(path)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n\n")[0]


def svg(layers: Layers, title: str) -> str:
    """A drawing in which each layer points to the one below; it may import that and all further down."""
    lengths = [sum(map(_width, layer)) + SPACE * (len(layer) - 1) for layer in layers]
    width, height = max(lengths) + 2, len(layers) * (BOX + GAP) - GAP + 2
    shapes = []
    for number, (layer, length) in enumerate(zip(layers, lengths, strict=True)):
        top, left = number * (BOX + GAP) + 1, (width - length) / 2
        for name in layer:
            shapes.append(_box(name, left, top))
            left += _width(name) + SPACE
        if number:
            shapes.append(_arrow(width / 2, top - GAP))
    # Inside a block element, so that Markdown takes no name for emphasis.
    return (
        f'<div><svg class="layers" role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{"".join(shapes)}</svg></div>'
    )


def _width(name: str) -> int:
    return len(name) * LETTER + PADDING


def _box(name: str, left: float, top: float) -> str:
    middle = left + _width(name) / 2
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{_width(name)}" height="{BOX}" rx="4"/>'
        f'<text x="{middle:g}" y="{top + BOX / 2 + 5:g}">{escape(name)}</text>'
    )


def _arrow(x: float, top: float) -> str:
    end = top + GAP - 2
    return f'<path d="M{x:g} {top + 2:g}V{end:g}m-4 -5l4 5l4 -5"/>'
