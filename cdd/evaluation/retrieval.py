"""Retrieval accuracy of a network on a data set, by every protocol of the data set."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cdd.data.augmentation import normalise
from cdd.data.prefetch import prefetched
from cdd.data.records import Dataset, Use, evaluated
from cdd.evaluation.metrics import RetrievalMetrics, evaluate_retrieval
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


def retrieval_metrics(
    embeddings: Float[Tensor, "images embedding"], dataset: Dataset, use: Use
) -> dict[str, RetrievalMetrics]:
    """One result per protocol, from the embeddings of all records that `use` evaluates on."""
    indices = evaluated(dataset, use)
    records = [dataset.records[index] for index in indices]
    identities = np.array([record.identity for record in records])
    cameras = np.array([record.camera for record in records])
    results = {}
    for protocol in dataset.protocols:
        query = np.flatnonzero([record in protocol.query for record in records])
        gallery = np.flatnonzero([record in protocol.gallery for record in records])
        excluded = protocol.excludes_same_camera
        results[protocol.name] = evaluate_retrieval(
            embeddings[query],
            embeddings[gallery],
            identities[query],
            identities[gallery],
            cameras[query] if excluded else None,
            cameras[gallery] if excluded else None,
            ranks=protocol.ranks,
        )
    return results


def named_metrics(results: dict[str, RetrievalMetrics]) -> dict[str, float]:
    """The accuracies under their names: `<protocol>/mAP`, `/mINP`, `/rank1`, ...; fractions."""
    named = {}
    for protocol, result in results.items():
        named[f"{protocol}/mAP"] = result.mean_average_precision
        named[f"{protocol}/mINP"] = result.mean_inverse_negative_penalty
        named |= {f"{protocol}/rank{rank}": value for rank, value in result.cmc.items()}
    return named
