"""Retrieval-guided resetting (RGGR) of the compactors' gradients; may import evaluation and below."""

from cdd.gradients.feature_queue import FeatureQueue
from cdd.gradients.resetting import (
    RetrievalGuidedResetting,
    reset_gradient,
    reset_gradients,
    unimportant_channels,
)

__all__ = [
    "FeatureQueue",
    "RetrievalGuidedResetting",
    "reset_gradient",
    "reset_gradients",
    "unimportant_channels",
]
