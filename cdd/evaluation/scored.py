"""Every query's scores against the gallery: what takes part, what is left out, what is a match."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cdd.evaluation.scores import Distance, doubled, prepare, score_blocks

Array = Tensor | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Side:
    """The queries or the gallery, one row per image.

    Attributes:
        embeddings: (rows, dim), array or tensor, of any scale.
        identities: (rows,) integers.
        cameras: (rows,) integers; both sides have them, or neither and nothing is left out.
    """

    embeddings: Array
    identities: ArrayLike | Tensor
    cameras: ArrayLike | Tensor | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """One query before the gallery.

    Attributes:
        query: its row among the queries.
        scores: as `score_blocks` gives them, larger is nearer; -inf for rows that are left out.
            Overwritten by a later query.
        matches: ascending rows of its identity that take part.
    """

    query: int
    scores: Float[np.ndarray, " rows"]
    matches: Int[np.ndarray, " matches"]


def scored(query: Side, gallery: Side, distance: Distance) -> Iterator[Scored]:
    """Every query in order; with cameras, rows of its own identity and camera are left out.

    The scores of all queries never stand in memory together.

    Args:
        query: the device of its embeddings does the products.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, an all-zero row under
            cosine, or cameras on one side only.
    """
    query_rows, gallery_rows = _embedding_pair(query.embeddings, gallery.embeddings, distance)
    query_labels = _labels(query.identities, "query identities", len(query_rows))
    gallery_labels = _labels(gallery.identities, "gallery identities", len(gallery_rows))
    cameras = _cameras(query.cameras, gallery.cameras, len(query_rows), len(gallery_rows))
    matches = _Matches(query_labels, gallery_labels, cameras)
    for start, scores in score_blocks(query_rows, gallery_rows, distance):
        for index, row in enumerate(scores, start):
            excluded, positives = matches.of(index)
            row[excluded] = -np.inf
            yield Scored(index, row, positives)


class _Matches:
    """Finds each query's rows of the same identity: to exclude, and to retrieve."""

    def __init__(
        self,
        query_labels: NDArray[Any],
        gallery_labels: NDArray[Any],
        cameras: tuple[NDArray[Any], NDArray[Any]] | None,
    ) -> None:
        self._cameras = cameras
        self._order = np.argsort(gallery_labels, kind="stable")
        ordered = gallery_labels[self._order]
        self._first = np.searchsorted(ordered, query_labels, side="left")
        self._last = np.searchsorted(ordered, query_labels, side="right")

    def of(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the excluded and of the matching gallery rows, each ascending."""
        alike = self._order[self._first[query] : self._last[query]]
        if self._cameras is None:
            return alike[:0], alike
        query_cameras, gallery_cameras = self._cameras
        same = gallery_cameras[alike] == query_cameras[query]
        return alike[same], alike[~same]


def _embedding_pair(
    query_embeddings: Array, gallery_embeddings: Array, distance: Distance
) -> tuple[Tensor, Tensor]:
    """Both sets on the queries' device, checked and prepared."""
    query, gallery = doubled(query_embeddings), doubled(gallery_embeddings)
    for name, values in (("query", query), ("gallery", gallery)):
        if values.ndim != 2 or not values.numel():
            raise ValueError(
                f"The {name} embeddings have shape {tuple(values.shape)}: "
                "give (rows, dim), at least one row and one dimension."
            )
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"The query embeddings have {query.shape[1]} dimensions, the gallery embeddings "
            f"{gallery.shape[1]}: both must come from the same network or from compatible ones."
        )
    prepare(query, "query", distance)
    prepare(gallery, "gallery", distance)
    return query, gallery.to(query.device)


def _labels(values: ArrayLike | Tensor, name: str, count: int) -> NDArray[Any]:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.shape != (count,):
        raise ValueError(
            f"The {name} have shape {array.shape}, but there are {count} embeddings: give shape ({count},)."
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"The {name} are {array.dtype}: give integers.")
    return array


def _cameras(
    query: ArrayLike | Tensor | None, gallery: ArrayLike | Tensor | None, queries: int, rows: int
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if query is None and gallery is None:
        return None
    if query is None or gallery is None:
        given, missing = ("query", "gallery") if gallery is None else ("gallery", "query")
        raise ValueError(
            f"Cameras were given for the {given} but not for the {missing}: give both, "
            "which leaves out same-camera matches, or neither, which leaves out nothing."
        )
    return _labels(query, "query cameras", queries), _labels(gallery, "gallery cameras", rows)
