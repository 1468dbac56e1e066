"""Retrieval accuracy of a network on a data set, under every protocol of the data set."""

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
from cdd.data.records import Dataset, RetrievalProtocol, Selection, evaluated
from cdd.evaluation.metrics import RetrievalMetrics, evaluate_retrieval
from cdd.evaluation.nearest import Nearest, nearest
from cdd.evaluation.score_blocks import EmbeddingSet
from cdd.values import Use

if TYPE_CHECKING:
    from cdd.models.deployed import Embedder


IMAGES_AT_ONCE = 256


def embed_all(
    embed: "Embedder", dataset: Dataset, indices: NDArray[np.int64], device: torch.device
) -> Float[Tensor, "images embedding"]:
    """Float32 embeddings of the records at `indices`, in this order, without augmentation."""
    starts = range(0, len(indices), IMAGES_AT_ONCE)
    batches = [indices[start : start + IMAGES_AT_ONCE] for start in starts]
    with torch.inference_mode():
        blocks = [embed(normalise(p.to(device))).float() for p in prefetched(dataset.pixels, batches)]
    return torch.cat(blocks)


@dataclass(frozen=True, eq=False)
class QueryGallery:
    """Queries and gallery of one protocol, one row per image.

    Attributes:
        query_records: the data set's record behind each query.
        gallery_records: the data set's record behind each gallery row.
    """

    query: EmbeddingSet
    gallery: EmbeddingSet
    query_records: Int[np.ndarray, " queries"]
    gallery_records: Int[np.ndarray, " rows"]

    def metrics(self, ranks: Sequence[int]) -> RetrievalMetrics:
        """Retrieval metrics of the queries against the gallery."""
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
        """The nearest gallery rows of each of these queries, in the given order."""
        query, cameras = self.query, self.query.cameras
        chosen_cameras = None if cameras is None else np.asarray(cameras)[queries]
        chosen = EmbeddingSet(
            query.embeddings[queries], np.asarray(query.identities)[queries], chosen_cameras
        )
        return nearest(chosen, self.gallery, count)


def query_gallery(
    embeddings: Float[Tensor, "images embedding"], dataset: Dataset, use: Use, protocol: RetrievalProtocol
) -> QueryGallery:
    """Queries and gallery of a protocol, from the embeddings of all evaluation records of `use`."""
    return _Evaluated(embeddings, dataset, use).query_gallery(protocol)


def retrieval_metrics(
    embeddings: Float[Tensor, "images embedding"], dataset: Dataset, use: Use
) -> dict[str, RetrievalMetrics]:
    """Metrics by name of the protocol, from the embeddings of all evaluation records of `use`."""
    records = _Evaluated(embeddings, dataset, use)
    return {
        protocol.name: records.query_gallery(protocol).metrics(protocol.ranks)
        for protocol in dataset.protocols
    }


class _Evaluated:
    """The evaluation records of a use, selected once for all protocols."""

    def __init__(self, embeddings: Tensor, dataset: Dataset, use: Use) -> None:
        self._embeddings = embeddings
        self._indices = evaluated(dataset, use)
        self._records = [dataset.records[index] for index in self._indices]
        self._identities = np.array([record.identity for record in self._records])
        self._cameras = np.array([record.camera for record in self._records])

    def query_gallery(self, protocol: RetrievalProtocol) -> QueryGallery:
        (query, query_records), (gallery, gallery_records) = (
            self._side(selection, with_cameras=protocol.excludes_same_camera)
            for selection in (protocol.query, protocol.gallery)
        )
        return QueryGallery(query, gallery, query_records, gallery_records)

    def _side(self, selection: Selection, *, with_cameras: bool) -> tuple[EmbeddingSet, NDArray[np.int64]]:
        chosen = np.flatnonzero([record in selection for record in self._records])
        cameras = self._cameras[chosen] if with_cameras else None
        return EmbeddingSet(self._embeddings[chosen], self._identities[chosen], cameras), self._indices[
            chosen
        ]


def identities_of_valid_queries(
    dataset: Dataset, use: Use, protocol: RetrievalProtocol
) -> Int[np.ndarray, " valid"]:
    """Identity of each query with a match in the gallery, in query order; needs no network."""
    return np.array([identity for identity, _, _ in _valid_queries(dataset, use, protocol)], dtype=np.int64)


def chance_of_valid_queries(
    dataset: Dataset, use: Use, protocol: RetrievalProtocol
) -> Float[np.ndarray, " valid"]:
    """Expected average precision of each valid query over random rankings of its gallery."""
    query_sizes = [(matches, images) for _, matches, images in _valid_queries(dataset, use, protocol)]
    by_sizes = {sizes: expected_average_precision(*sizes) for sizes in set(query_sizes)}
    return np.array([by_sizes[sizes] for sizes in query_sizes], dtype=np.float64)


def expected_average_precision(matches: int, images: int) -> float:
    """Mean average precision over all orders of a gallery with this number of matches.

    An image has rank k with probability 1 / images; each of the other matches is among the k - 1 images
    before it with probability (k - 1) / (images - 1).

    Raises:
        ValueError: unless 1 <= matches <= images.
    """
    if not 1 <= matches <= images:
        raise ValueError(f"{matches} of {images} images match: 1 to all of them can")
    harmonic = float(np.sum(1 / np.arange(1, images + 1)))
    match_share = (matches - 1) / max(1, images - 1)
    return (harmonic + match_share * (images - harmonic)) / images


def _valid_queries(dataset: Dataset, use: Use, protocol: RetrievalProtocol) -> Iterator[tuple[int, int, int]]:
    """Identity, matches and gallery images of every query that has a match, in query order."""
    records = [dataset.records[index] for index in evaluated(dataset, use)]
    gallery = [record for record in records if record in protocol.gallery]
    identity_counts = Counter(record.identity for record in gallery)
    identity_camera_counts = Counter((record.identity, record.camera) for record in gallery)
    for record in (record for record in records if record in protocol.query):
        excluded = (
            identity_camera_counts[record.identity, record.camera] if protocol.excludes_same_camera else 0
        )
        matches = identity_counts[record.identity] - excluded
        if matches:
            yield record.identity, matches, len(gallery) - excluded


def named_metrics(results: dict[str, RetrievalMetrics]) -> dict[str, float]:
    """All metrics by name: `<protocol>/mAP`, `/mINP`, `/rank1`, ...; fractions."""
    metrics = {}
    for protocol, result in results.items():
        metrics[f"{protocol}/mAP"] = result.mean_average_precision
        metrics[f"{protocol}/mINP"] = result.mean_inverse_negative_penalty
        metrics |= {f"{protocol}/rank{rank}": value for rank, value in result.cmc.items()}
    return metrics
