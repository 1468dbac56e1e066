"""Retrieval accuracy: exact ranks, mAP, CMC and mINP."""

from cdd.evaluation.metrics import RetrievalMetrics, evaluate_retrieval

__all__ = ["RetrievalMetrics", "evaluate_retrieval"]
