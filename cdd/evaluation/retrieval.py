"""Retrieval accuracy of a network on a data set, by every protocol of the data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.augmentation import normalise
from cdd.data.prefetch import prefetched
from cdd.data.records import Dataset, ImageRecord, RetrievalProtocol, Selection, Use, evaluated
from cdd.evaluation.metrics import RetrievalMetrics, evaluate_retrieval
from cdd.evaluation.nearest import Nearest, nearest
from cdd.evaluation.scored import Side
from cdd.models.deployed import Embedder

IMAGES_AT_ONCE = 256


def embed_all(
    embed: Embedder, dataset: Dataset, indices: NDArray[np.int64], device: torch.device
) -> Float[Tensor, "images embedding"]:
    """Float32 embeddings of these records, in their order, without augmentation."""
    starts = range(0, len(indices), IMAGES_AT_ONCE)
    chosen = [indices[start : start + IMAGES_AT_ONCE] for start in starts]
    with torch.inference_mode():
        blocks = [embed(normalise(p.to(device))).float() for p in prefetched(dataset.pixels, chosen)]
    return torch.cat(blocks)


@dataclass(frozen=True, eq=False)
class Meeting:
    """Queries and gallery of one protocol, one row per image.

    Attributes:
        query_records: the data set's record behind each query.
        gallery_records: the data set's record behind each gallery row.
    """

    query: Side
    gallery: Side
    query_records: Int[np.ndarray, " queries"]
    gallery_records: Int[np.ndarray, " rows"]

    def metrics(self, ranks: Sequence[int]) -> RetrievalMetrics:
        """How well the queries find their identities."""
        query, gallery = self.query, self.gallery
        return evaluate_retrieval(
            query.embeddings,
            gallery.embeddings,
            query.identities,
            gallery.identities,
            query.cameras,
            gallery.cameras,
            ranks=ranks,
        )

    def nearest(self, queries: Int[np.ndarray, " chosen"], count: int) -> list[Nearest]:
        """What each of these queries finds first, in the order in which they are given."""
        query, cameras = self.query, self.query.cameras
        seen_by = None if cameras is None else np.asarray(cameras)[queries]
        chosen = Side(query.embeddings[queries], np.asarray(query.identities)[queries], seen_by)
        return nearest(chosen, self.gallery, count)


def meeting(
    embeddings: Float[Tensor, "images embedding"], dataset: Dataset, use: Use, protocol: RetrievalProtocol
) -> Meeting:
    """Who meets whom under a protocol, from the embeddings of all records that `use` evaluates on."""
    return _Evaluated(embeddings, dataset, use).meeting(protocol)


def retrieval_metrics(
    embeddings: Float[Tensor, "images embedding"], dataset: Dataset, use: Use
) -> dict[str, RetrievalMetrics]:
    """One result per protocol, from the embeddings of all records that `use` evaluates on."""
    found = _Evaluated(embeddings, dataset, use)
    return {each.name: found.meeting(each).metrics(each.ranks) for each in dataset.protocols}


class _Evaluated:
    """The records that a use evaluates on, found once for all protocols."""

    def __init__(self, embeddings: Tensor, dataset: Dataset, use: Use) -> None:
        self._embeddings = embeddings
        self._indices = evaluated(dataset, use)
        self._records = [dataset.records[index] for index in self._indices]
        self._identities = np.array([record.identity for record in self._records])
        self._cameras = np.array([record.camera for record in self._records])

    def meeting(self, protocol: RetrievalProtocol) -> Meeting:
        (query, query_records), (gallery, gallery_records) = (
            self._side(selection, with_cameras=protocol.excludes_same_camera)
            for selection in (protocol.query, protocol.gallery)
        )
        return Meeting(query, gallery, query_records, gallery_records)

    def _side(self, selection: Selection, *, with_cameras: bool) -> tuple[Side, NDArray[np.int64]]:
        chosen = np.flatnonzero([record in selection for record in self._records])
        seen_by = self._cameras[chosen] if with_cameras else None
        return Side(self._embeddings[chosen], self._identities[chosen], seen_by), self._indices[chosen]


def identities_of_valid_queries(
    dataset: Dataset, use: Use, protocol: RetrievalProtocol
) -> Int[np.ndarray, " valid"]:
    """What each query shows that has a match in the gallery, in query order; no network is asked."""
    records = [dataset.records[index] for index in evaluated(dataset, use)]
    cameras: dict[int, set[int]] = {}
    for record in records:
        if record in protocol.gallery:
            cameras.setdefault(record.identity, set()).add(record.camera)

    def is_valid(query: ImageRecord) -> bool:
        own = {query.camera} if protocol.excludes_same_camera else set()
        return bool(cameras.get(query.identity, set()) - own)

    valid = [record.identity for record in records if record in protocol.query and is_valid(record)]
    return np.array(valid, dtype=np.int64)


def named_metrics(results: dict[str, RetrievalMetrics]) -> dict[str, float]:
    """The accuracies under their names: `<protocol>/mAP`, `/mINP`, `/rank1`, ...; fractions."""
    named = {}
    for protocol, result in results.items():
        named[f"{protocol}/mAP"] = result.mean_average_precision
        named[f"{protocol}/mINP"] = result.mean_inverse_negative_penalty
        named |= {f"{protocol}/rank{rank}": value for rank, value in result.cmc.items()}
    return named
