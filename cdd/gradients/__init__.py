"""Retrieval-guided resetting (RGGR) of the compactors' gradients; may import evaluation and below."""

from cdd.gradients.feature_queue import Gallery
from cdd.gradients.resetting import (
    RetrievalGuidedResetting,
    reset_gradient,
    reset_gradients,
    unimportant_channels,
)

__all__ = [
    "Gallery",
    "RetrievalGuidedResetting",
    "reset_gradient",
    "reset_gradients",
    "unimportant_channels",
]
