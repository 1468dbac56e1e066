"""Identities of the valid queries of a data set, and their expected precision under random rankings."""

from cdd.data.records import CLASSIFICATION, Dataset, labels_of_evaluated
from cdd.evaluation.retrieval import chance_of_valid_queries, identities_of_valid_queries
from cdd.values import Use

CLASSES = "classification"
"""Name of top-1 accuracy where retrieval has the name of a protocol."""


def query_identities(dataset: Dataset, use: Use) -> dict[str, list[int]]:
    """Identity of each valid query, per protocol; for classification, the label of each image."""
    if use in CLASSIFICATION:
        return {CLASSES: labels_of_evaluated(dataset, use).tolist()}
    return {
        protocol.name: identities_of_valid_queries(dataset, use, protocol).tolist()
        for protocol in dataset.protocols
    }


def chance_precision(dataset: Dataset, use: Use) -> dict[str, list[float]]:
    """Expected average precision of each valid query over random rankings; 1 / classes in classification."""
    if use in CLASSIFICATION:
        labels = labels_of_evaluated(dataset, use)
        return {CLASSES: [1 / len(set(labels.tolist()))] * len(labels)}
    return {
        protocol.name: chance_of_valid_queries(dataset, use, protocol).tolist()
        for protocol in dataset.protocols
    }
