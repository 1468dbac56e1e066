"""Finds copies and variants of a model by how it looks from the same places."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.household.camera import direction, shot
from tools.household.renderer import Drawable, Renderer

AZIMUTHS = (0.0, 60.0, 120.0, 180.0, 240.0, 300.0)
PIXELS = 32
COPY = 0.04  # the differences of shape and of colour of a copy are both smaller
VARIANT_SHAPE = 0.02  # the difference of shape of a variant is smaller, whatever its colours
BACKDROP = 0.5

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Appearance:
    """An object from six fixed places: its colours, and the shading of its shape in grey."""

    colours: Floats
    shape: Floats
    opacity: Floats

    @property
    def coverage(self) -> float:
        """Mean share of the image that the object covers, weighted by its opacity."""
        return float(self.opacity.mean())


def appearance(renderer: Renderer, drawables: Sequence[Drawable]) -> Appearance:
    """The object in plain light before grey, shrunk to 32 x 32 pixels."""
    colours, shapes, opacities = [], [], []
    for azimuth in AZIMUTHS:
        view = shot(
            (azimuth, 20.0, 2.8),
            np.zeros(3),
            40.0,
            direction(azimuth + 40, 50.0),
            ((0.6, 0.6, 0.6), (0.5, 0.5, 0.5)),
        )
        drawn, clay = (_shrunk(renderer.draw(drawables, view, in_clay=flag)) for flag in (False, True))
        colours.append(drawn[..., :3] + BACKDROP * (1 - drawn[..., 3:]))
        shapes.append(clay[..., 0] + BACKDROP * (1 - clay[..., 3]))
        opacities.append(clay[..., 3])
    return Appearance(np.stack(colours), np.stack(shapes), np.stack(opacities))


def _shrunk(drawn: Floats) -> Floats:
    side = drawn.shape[0] // PIXELS
    shrunk: Floats = drawn.reshape(PIXELS, side, PIXELS, side, 4).mean(axis=(1, 3))
    return shrunk


def differences(appearances: Sequence[Appearance]) -> tuple[Floats, Floats]:
    """Differences of shape and of colour of all pairs, from 0 to 1, each a symmetric square.

    Both are the mean absolute difference over the pixels that either object covers.
    """
    opacity = np.stack([one.opacity.ravel() for one in appearances])
    shapes = np.stack([one.shape.ravel() for one in appearances])
    colours = np.stack([np.moveaxis(one.colours, 3, 0).ravel() for one in appearances])
    return _mean_difference(shapes, opacity), _mean_difference(colours, np.tile(opacity, 3))


def _mean_difference(values: Floats, weights: Floats) -> Floats:
    result = np.zeros((len(values), len(values)), dtype=np.float32)
    for row in range(len(values)):
        distance = np.abs(values[row + 1 :] - values[row]).sum(axis=1)
        result[row, row + 1 :] = distance / np.maximum(weights[row + 1 :], weights[row]).sum(axis=1)
    return result + result.T


@dataclass(frozen=True)
class Kinship:
    """Which objects are copies of an earlier one, and the group of each object (number of its first)."""

    copies: frozenset[int]
    groups: list[int]


def kinship(appearances: Sequence[Appearance], labels: Sequence[Iterable[str]]) -> Kinship:
    """Copies and groups of objects.

    Args:
        appearances: of all objects, in the order in which the first of several copies is kept.
        labels: of each object; objects that share one are in one group, and so are copies and variants.
    """
    shape, colour = differences(appearances)
    either = np.maximum(shape, colour)
    copies = copies_of_earlier(either)
    related = np.argwhere(np.triu((shape < VARIANT_SHAPE) | (either < COPY), k=1))
    links = [(int(first), int(second)) for first, second in related]
    return Kinship(copies, connected(len(appearances), links + shared_label_links(labels)))


def copies_of_earlier(difference: Floats) -> frozenset[int]:
    """Objects that differ by less than `COPY` from an earlier one that is itself no copy."""
    kept: list[int] = []
    for number in range(len(difference)):
        if not (difference[number, kept] < COPY).any():
            kept.append(number)
    return frozenset(range(len(difference))) - frozenset(kept)


def shared_label_links(labels: Sequence[Iterable[str]]) -> list[tuple[int, int]]:
    """Pairs of objects that share a label: each carrier of a label with the one before it."""
    last: dict[str, int] = {}
    links = []
    for item, carried in enumerate(labels):
        for label in carried:
            if label in last:
                links.append((last[label], item))
            last[label] = item
    return links


def connected(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """The group of each object, which is the smallest number in it; links join groups."""
    group = list(range(count))
    for first, second in links:
        low, high = sorted((group[first], group[second]))
        if low != high:
            group = [low if number == high else number for number in group]
    return group
