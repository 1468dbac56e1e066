"""Scores of all queries against the gallery, block by block, with exclusions and matches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cdd.evaluation.similarity import Distance, as_float64, prepare, score_blocks

Array = Tensor | NDArray[Any]


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """The queries or the gallery, one row per image.

    Attributes:
        embeddings: (rows, dim), array or tensor, of any scale.
        identities: (rows,) integers.
        cameras: (rows,) integers; for both sets, or for neither, and then nothing is excluded.
    """

    embeddings: Array
    identities: ArrayLike | Tensor
    cameras: ArrayLike | Tensor | None = None


@dataclass(frozen=True, eq=False)
class ScoreBlock:
    """Scores of a block of queries against the gallery.

    Attributes:
        first: row of the block's first query among all queries.
        scores: from `score_blocks`, larger is nearer; -inf for excluded rows. Overwritten by the
            block after the next.
        matches: per query, ascending gallery rows of its identity that are not excluded.
    """

    first: int
    scores: Float[Tensor, "block rows"]
    matches: list[NDArray[np.int64]]


def scored(
    query: EmbeddingSet,
    gallery: EmbeddingSet,
    distance: Distance,
    *,
    junk: Sequence[int] = (),
    leave_one_out: bool = False,
) -> Iterator[ScoreBlock]:
    """Score blocks of all queries in order; with cameras, rows of equal identity and camera are excluded.

    The scores of all queries are never in memory together.

    Args:
        query: the products run on the device of its embeddings.
        junk: identities whose gallery rows are excluded for all queries.
        leave_one_out: whether queries and gallery are the same set; each query's own row is then excluded.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, an all-zero row under
            cosine, cameras for one set only, or sets of unequal size under leave_one_out.
    """
    query_rows, gallery_rows = _embedding_pair(query.embeddings, gallery.embeddings, distance)
    query_labels = _labels(query.identities, "query identities", len(query_rows))
    gallery_labels = _labels(gallery.identities, "gallery identities", len(gallery_rows))
    cameras = _cameras(query.cameras, gallery.cameras, len(query_rows), len(gallery_rows))
    if leave_one_out and len(query_rows) != len(gallery_rows):
        raise ValueError(
            f"leave_one_out needs one set, but there are {len(query_rows)} queries and {len(gallery_rows)} "
            "gallery rows: give the same rows as both."
        )
    is_junk = np.isin(gallery_labels, list(junk))
    junk_rows = torch.from_numpy(np.flatnonzero(is_junk)).to(query_rows.device)
    pairs = _Pairs(query_labels, gallery_labels, cameras, is_junk, leave_one_out=leave_one_out)
    for first, scores in score_blocks(query_rows, gallery_rows, distance):
        excluded, matches = pairs.of(first, first + len(scores))
        if len(junk_rows):
            scores[:, junk_rows] = -torch.inf
        excluded_queries, excluded_rows = (
            torch.from_numpy(indices).to(scores.device) for indices in excluded
        )
        scores[excluded_queries, excluded_rows] = -torch.inf
        yield ScoreBlock(first, scores, matches)


class _Pairs:
    """Gallery rows of each query's identity: the excluded ones and the matches."""

    def __init__(
        self,
        query_labels: NDArray[Any],
        gallery_labels: NDArray[Any],
        cameras: tuple[NDArray[Any], NDArray[Any]] | None,
        is_junk: NDArray[np.bool_],
        *,
        leave_one_out: bool,
    ) -> None:
        self._cameras, self._is_junk, self._leave_one_out = cameras, is_junk, leave_one_out
        self._order = np.argsort(gallery_labels, kind="stable")
        ordered = gallery_labels[self._order]
        self._first = np.searchsorted(ordered, query_labels, side="left")
        self._last = np.searchsorted(ordered, query_labels, side="right")

    def of(
        self, start: int, stop: int
    ) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], list[NDArray[np.int64]]]:
        """Excluded (query, row) pairs, queries counted from `start`, and each query's matching rows."""
        first, count = self._first[start:stop], (self._last - self._first)[start:stop]
        query_of_row = np.repeat(np.arange(stop - start), count)
        # Pair n is row number (n - pairs of earlier queries) of its query's identity.
        rows = self._order[np.arange(len(query_of_row)) + np.repeat(first - np.cumsum(count) + count, count)]
        is_excluded = self._is_junk[rows]
        if self._cameras is not None:
            query_cameras, gallery_cameras = self._cameras
            is_excluded |= gallery_cameras[rows] == query_cameras[start + query_of_row]
        if self._leave_one_out:
            is_excluded |= rows == start + query_of_row
        ends = np.cumsum(np.bincount(query_of_row[~is_excluded], minlength=stop - start))
        return (query_of_row[is_excluded], rows[is_excluded]), np.split(rows[~is_excluded], ends[:-1])


def _embedding_pair(
    query_embeddings: Array, gallery_embeddings: Array, distance: Distance
) -> tuple[Tensor, Tensor]:
    """Both sets on the queries' device, checked and prepared."""
    query, gallery = as_float64(query_embeddings), as_float64(gallery_embeddings)
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
