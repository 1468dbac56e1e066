"""What the queries of a data set show, and what chance gives each of them; no network is asked."""

from cdd.data.records import CLASSIFICATION, Dataset, Use, labels_of_evaluated
from cdd.evaluation.retrieval import chance_of_valid_queries, identities_of_valid_queries

CLASSES = "classification"
"""Where protocols are named, what stands for top-1 accuracy."""


def query_identities(dataset: Dataset, use: Use) -> dict[str, list[int]]:
    """Per protocol what each valid query shows, in query order; of a classification, what each image does."""
    if use in CLASSIFICATION:
        return {CLASSES: labels_of_evaluated(dataset, use).tolist()}
    return {
        protocol.name: identities_of_valid_queries(dataset, use, protocol).tolist()
        for protocol in dataset.protocols
    }


def chance_precision(dataset: Dataset, use: Use) -> dict[str, list[float]]:
    """Per protocol each valid query's mean precision over random rankings; of classification 1 / classes."""
    if use in CLASSIFICATION:
        labels = labels_of_evaluated(dataset, use)
        return {CLASSES: [1 / len(set(labels.tolist()))] * len(labels)}
    return {
        protocol.name: chance_of_valid_queries(dataset, use, protocol).tolist()
        for protocol in dataset.protocols
    }
