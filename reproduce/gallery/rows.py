"""Rows of a gallery: queries with their nearest images, as records, as pictures and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdd.data.records import Dataset, ImageRecord
from cdd.evaluation.metrics import RetrievalMetrics
from cdd.evaluation.nearest import Nearest
from cdd.evaluation.retrieval import QueryGallery
from reproduce.figures.image_grid import Frame, Tile
from reproduce.tables.rendered_table import Block

COLUMNS = ("row", "rank", "image", "identity", "camera", "similarity", "verdict")
DECIMALS = 4
SIGNS = {"right": "\u2713", "wrong": "\u00d7"}
"""A tick and a cross that the font of the figures has."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How many queries, how many images of each ranking, and which queries."""

    queries: int = 8
    top: int = 10
    seed: int = 0
    worst: bool = False


@dataclass(frozen=True, kw_only=True)
class GalleryRow:
    """A query's record, its average precision, and the records that it finds, best first."""

    query: int
    average_precision: float
    records: NDArray[np.int64]
    nearest: Nearest

    @property
    def verdicts(self) -> list[Frame]:
        """Whether each of its images is right."""
        return ["right" if match else "wrong" for match in self.nearest.is_match]


def gallery_rows(meet: QueryGallery, metrics: RetrievalMetrics, choice: Choice) -> list[GalleryRow]:
    """The chosen queries with what they find: sampled evenly from the valid ones, or the worst of them.

    Which queries a seed samples depends on the data set and the protocol alone, so that runs can be
    compared; they stand in the order of the data set, the worst in that of their average precision.
    """
    count = min(choice.queries, metrics.valid_queries)
    if choice.worst:
        chosen = np.argsort(metrics.average_precision, kind="stable")[:count]
    else:
        generator = np.random.default_rng(choice.seed)
        chosen = np.sort(generator.choice(metrics.valid_queries, count, replace=False))
    queries, precisions = metrics.query_index[chosen], metrics.average_precision[chosen]
    found = meet.nearest(queries, choice.top)
    return [
        GalleryRow(
            query=int(meet.query_records[query]),
            average_precision=float(precision),
            records=meet.gallery_records[nearest.rows],
            nearest=nearest,
        )
        for query, precision, nearest in zip(queries, precisions, found, strict=True)
    ]


def tiles(rows: Sequence[GalleryRow], dataset: Dataset) -> list[list[Tile]]:
    """The pictures of every row as the data set has them: not normalised, not augmented."""
    grid = []
    for row in rows:
        indices = [row.query, *row.records.tolist()]
        pictures = dataset.pixels(indices).permute(0, 2, 3, 1).numpy()
        places = [f"camera {dataset.records[index].camera}" for index in indices]
        query = Tile(pictures[0], text=f"{places[0]}\nAP {100 * row.average_precision:.1f} %")
        shown = zip(pictures[1:], places[1:], row.verdicts, strict=True)
        found = [Tile(pixels, verdict, f"{SIGNS[verdict]} {place}") for pixels, place, verdict in shown]
        grid.append([query, *found])
    return grid


def numbers(rows: Sequence[GalleryRow], dataset: Dataset) -> pd.DataFrame:
    """One line per picture; rows count from 1, a query has rank 0 and no similarity."""
    lines: list[tuple[object, ...]] = []
    for number, row in enumerate(rows, 1):
        lines.append((number, 0, *_plain(dataset.records[row.query]), np.nan, "query"))
        shown = zip(row.records, row.nearest.similarity, row.verdicts, strict=True)
        for rank, (index, similarity, verdict) in enumerate(shown, 1):
            lines.append((number, rank, *_plain(dataset.records[index]), float(similarity), verdict))
    return pd.DataFrame(lines, columns=list(COLUMNS)).round({"similarity": DECIMALS})


def block(rows: Sequence[GalleryRow], dataset: Dataset, top: int) -> Block:
    """Every query with its average precision and how many of its images are right."""
    cells: dict[tuple[str, ...], list[str]] = {}
    for number, row in enumerate(rows, 1):
        record = dataset.records[row.query]
        key = (str(number), str(record.identity), str(record.camera), record.path)
        right = f"{row.verdicts.count('right')} of {len(row.records)}"
        cells[key] = [f"{100 * row.average_precision:.1f}", right]
    columns = [("result", "AP (%)"), ("result", f"right among the first {top}")]
    return Block.of("The queries and what they find", cells, ("row", "identity", "camera", "query"), columns)


def _plain(record: ImageRecord) -> tuple[str, int, int]:
    return record.path, record.identity, record.camera
