"""Images that queries find where a teacher's visual words meet its student's, drawn beside the queries."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.augmentation import normalise
from cdd.data.embedded import EMBEDDED
from cdd.data.records import Dataset, evaluated
from cdd.data.registry import load
from cdd.errors import RunError
from cdd.methods.quest.quest import QuantisedDistiller
from cdd.methods.quest.word_retrieval import assignment_map, common_size, nearest_by_words
from cdd.models.deployed import AGAIN
from cdd.recipe import Data, Recipe
from cdd.result import DISTILLER, WEIGHTS
from cdd.tensor_files import read_state
from cdd.training.environment import select_device
from cdd.training.networks import load_teacher, to_device_channels_last
from experiments.schema.figure import VisualWordRetrieval
from reproduce.errors import UsageError
from reproduce.evidence.context import FIGURES, RenderContext
from reproduce.figures.image_grid import Frame, Tile, draw_grid
from reproduce.figures.output import RenderedFigure, picture_sheet, with_caption
from reproduce.tables.cells import NOT_RUN
from reproduce.tables.rendered_table import Block
from reproduce.tracking.finished_runs import FinishedRuns

QUERIES, SHOWN, TOP = 200, 6, 10
"""Queries that are asked, queries that are drawn, images beside each of them."""
IMAGES_AT_ONCE = 64
FULL_SIZE = 64
"""Height and width of the embedded images."""
COLUMNS = ["run_id", "query", "rank", "image", "similarity", "query_class", "image_class"]


def draw_word_gallery(figure: VisualWordRetrieval, material: RenderContext) -> RenderedFigure:
    """The figure as pdf, png and svg, with what every query found as csv and its caption as md.

    Where the networks are not at hand, it is drawn from the csv that lies in the folder.
    """
    recipe = next((w.recipe for w in material.requested_runs if w.recipe.run_id in material.outcomes), None)
    found = _known(figure.name, recipe, material) if recipe else pd.DataFrame(columns=COLUMNS)
    sheet = picture_sheet(figure, material, [_block(found)], found)
    if len(found):
        sheet = replace(sheet, notes=(*sheet.notes[:2], _summary(found), *sheet.notes[2:]))
    return with_caption(sheet, _drawn(found, recipe, material))


def _summary(found: pd.DataFrame) -> str:
    first, others = found[found["rank"] == 1], found[found["rank"] > 1]
    own = float((first["query"] == first["image"]).mean())
    right = float((others["query_class"] == others["image_class"]).mean())
    return (
        f"Queries: {len(first)} images drawn at random, seed 0, as the teacher's words; data base: all "
        "held-out images, the query among them, as the student's. The first image is the query itself for "
        f"{own:.1%} of the queries; of the others among the first {TOP}, {right:.1%} are of the query's "
        "class. Red frame: the query's own image. Embedded images are shown at 64x64 pixels, whatever size "
        "the networks see."
    )


def _known(name: str, recipe: Recipe, material: RenderContext) -> pd.DataFrame:
    try:
        return _asked(recipe, material)
    except (UsageError, RunError):
        path = material.records_folder / FIGURES / f"{name}.csv"
        stored = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
        return stored[stored.run_id == recipe.run_id]


def _asked(recipe: Recipe, material: RenderContext) -> pd.DataFrame:
    """One line per query and image found.

    Raises:
        UsageError: where the networks are not at hand.
        DataError: where the images are not.
    """
    if material.files is None or recipe.teacher is None:
        raise UsageError("the networks of this figure are not at hand")
    device = select_device(material.machine.device)
    dataset = load(recipe.data, material.machine.data_root)
    indices = evaluated(dataset, recipe.data.use)
    classes = np.array([dataset.records[index].identity for index in indices])
    distiller, networks = _networks(recipe, len(np.unique(classes)), material.files, device)
    chosen = np.random.default_rng(0).choice(len(indices), min(QUERIES, len(indices)), replace=False)
    order, products = _nearest(dataset, indices, chosen, distiller, networks)
    lines = [
        (recipe.run_id, query, rank + 1, image, round(product, 4), classes[query], classes[image])
        for query, images, values in zip(chosen, order.tolist(), products.tolist(), strict=True)
        for rank, (image, product) in enumerate(zip(images, values, strict=True))
    ]
    return pd.DataFrame(lines, columns=COLUMNS)


def _networks(
    recipe: Recipe, classes: int, files: FinishedRuns, device: torch.device
) -> tuple[QuantisedDistiller, tuple[torch.nn.Module, torch.nn.Module]]:
    """What the student learnt of the words, and teacher and student in evaluation mode."""
    found = []
    for one in (recipe.teacher, recipe):
        if one is None:
            raise UsageError("a run without a teacher has no visual words")
        reader = partial(_network, one, classes)
        found.append(
            to_device_channels_last(files.read(files.find(one.run_id), WEIGHTS, reader), device).eval()
        )
    teacher, student = found
    distiller = recipe.method.build(student, teacher, recipe.fidelity)
    if not isinstance(distiller, QuantisedDistiller):
        raise UsageError(f"{type(recipe.method).__name__} has no visual words: choose a run of QuEST")
    distiller.load_state_dict(files.read(files.find(recipe.run_id), DISTILLER, _state))
    return distiller.to(device), (teacher, student)


def _network(recipe: Recipe, classes: int, path: Path) -> Any:
    return load_teacher(recipe, classes, {recipe.run_id: path})


def _state(path: Path) -> dict[str, Tensor]:
    return read_state(path, "what a distiller has learnt", AGAIN, finite=False)


@torch.inference_mode()
def _nearest(
    dataset: Dataset,
    indices: NDArray[np.int64],
    chosen: NDArray[np.int64],
    distiller: QuantisedDistiller,
    networks: tuple[torch.nn.Module, torch.nn.Module],
) -> tuple[Tensor, Tensor]:
    """Positions among the held-out images, and products."""
    teacher, student = networks
    words = distiller.last
    device = words.vocabulary.device

    def images(places: NDArray[np.int64]) -> Tensor:
        return normalise(dataset.pixels(indices[places]).to(device))

    parts = [
        range(start, min(start + IMAGES_AT_ONCE, len(indices)))
        for start in range(0, len(indices), IMAGES_AT_ONCE)
    ]
    few = images(np.arange(1))
    size = common_size(teacher(few, mapped=True), student(few, mapped=True))
    asked = assignment_map(teacher(images(chosen), mapped=True), words.assigned, size)
    batches = (
        assignment_map(student(images(np.array(part)), mapped=True), words.predicted, size) for part in parts
    )
    return nearest_by_words(asked, batches, TOP)


def _drawn(found: pd.DataFrame, recipe: Recipe | None, material: RenderContext) -> dict[str, bytes]:
    if recipe is None or found.empty:
        empty = np.full((32, 32, 3), 255, dtype=np.uint8)
        return draw_grid([[Tile(empty, text=NOT_RUN)]])
    dataset = load(_shown(recipe.data), material.machine.data_root)
    indices = evaluated(dataset, recipe.data.use)
    rows = []
    for query, images in _first(found):
        pixels = dataset.pixels(indices[[query, *images]]).permute(0, 2, 3, 1).numpy()
        classes = [f"class {dataset.records[indices[image]].identity}" for image in (query, *images)]
        frames: list[Frame | None] = [None, *("own" if image == query else None for image in images)]
        rows.append([Tile(*tile) for tile in zip(pixels, frames, classes, strict=True)])
    return draw_grid(rows, ["query", *(str(rank + 1) for rank in range(TOP))])


def _shown(data: Data) -> Data:
    """At the size that people can look at, where the networks see less of the embedded images."""
    larger = {"height": max(data.height, FULL_SIZE), "width": max(data.width, FULL_SIZE)}
    return data.model_copy(update=larger) if data.name in EMBEDDED else data


def _first(found: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """The drawn queries, and what each of them found."""
    images: dict[int, list[int]] = {}
    for query, image in zip(found["query"].tolist(), found["image"].tolist(), strict=True):
        images.setdefault(int(query), []).append(int(image))
    return list(images.items())[:SHOWN]


def _block(found: pd.DataFrame) -> Block:
    """What the drawn queries found."""
    labels = [(f"image {query}",) for query, _ in _first(found)]
    rows = [[str(image) for image in images] for _, images in _first(found)]
    index = pd.MultiIndex.from_tuples(labels or [(NOT_RUN,)], names=["Query"])
    columns = pd.MultiIndex.from_tuples([("image at rank", str(rank + 1)) for rank in range(TOP)])
    return Block(
        f"First {TOP} held-out images", pd.DataFrame(rows or [["-"] * TOP], index=index, columns=columns)
    )
