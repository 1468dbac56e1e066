"""Retrieval accuracy of a network on a data set, by every protocol of the data set."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.augmentation import normalise
from cdd.data.prefetch import prefetched
from cdd.data.records import Dataset, RetrievalProtocol, Selection, Use, evaluated
from cdd.evaluation.metrics import RetrievalMetrics, evaluate_retrieval
from cdd.evaluation.nearest import Nearest, nearest
from cdd.evaluation.score_blocks import Side

if TYPE_CHECKING:
    from cdd.models.deployed import Embedder


IMAGES_AT_ONCE = 256


def embed_all(
    embed: "Embedder", dataset: Dataset, indices: NDArray[np.int64], device: torch.device
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
    return np.array([identity for identity, _, _ in _valid_queries(dataset, use, protocol)], dtype=np.int64)


def chance_of_valid_queries(
    dataset: Dataset, use: Use, protocol: RetrievalProtocol
) -> Float[np.ndarray, " valid"]:
    """Average precision that each valid query has on average over random rankings of its gallery."""
    found = [(matches, images) for _, matches, images in _valid_queries(dataset, use, protocol)]
    by_sizes = {sizes: expected_average_precision(*sizes) for sizes in set(found)}
    return np.array([by_sizes[sizes] for sizes in found], dtype=np.float64)


def expected_average_precision(matches: int, images: int) -> float:
    """The mean of average precision over all orders of a gallery of which so many images match.

    An image stands at place k with probability 1 / images; of the k - 1 before it, each of the other
    matches is one with probability (k - 1) / (images - 1).

    Raises:
        ValueError: unless 1 <= matches <= images.
    """
    if not 1 <= matches <= images:
        raise ValueError(f"{matches} of {images} images match: 1 to all of them can")
    harmonic = float(np.sum(1 / np.arange(1, images + 1)))
    others = (matches - 1) / max(1, images - 1)
    return (harmonic + others * (images - harmonic)) / images


def _valid_queries(dataset: Dataset, use: Use, protocol: RetrievalProtocol) -> Iterator[tuple[int, int, int]]:
    """Identity, matches and gallery images of every query that has a match, in query order."""
    records = [dataset.records[index] for index in evaluated(dataset, use)]
    gallery = [record for record in records if record in protocol.gallery]
    of_identity = Counter(record.identity for record in gallery)
    of_both = Counter((record.identity, record.camera) for record in gallery)
    for record in (record for record in records if record in protocol.query):
        left_out = of_both[record.identity, record.camera] if protocol.excludes_same_camera else 0
        matches = of_identity[record.identity] - left_out
        if matches:
            yield record.identity, matches, len(gallery) - left_out


def named_metrics(results: dict[str, RetrievalMetrics]) -> dict[str, float]:
    """The accuracies under their names: `<protocol>/mAP`, `/mINP`, `/rank1`, ...; fractions."""
    named = {}
    for protocol, result in results.items():
        named[f"{protocol}/mAP"] = result.mean_average_precision
        named[f"{protocol}/mINP"] = result.mean_inverse_negative_penalty
        named |= {f"{protocol}/rank{rank}": value for rank, value in result.cmc.items()}
    return named
