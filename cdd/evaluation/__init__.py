"""Retrieval accuracy: exact ranks, mAP, CMC and mINP; may import data, models, losses and below."""

from cdd.evaluation.metrics import RetrievalMetrics, evaluate_retrieval

__all__ = ["RetrievalMetrics", "evaluate_retrieval"]
