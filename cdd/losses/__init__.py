"""Losses as pure functions: identity, triplet, logits, taps, lasso; may import recipe and below."""

from cdd.losses.group_lasso import group_lasso, group_lasso_gradient, group_lasso_gradients, row_norms
from cdd.losses.identity import identity_loss
from cdd.losses.logits import logit_divergence
from cdd.losses.taps import tap_distance
from cdd.losses.triplet import batch_hard_triplet

__all__ = [
    "batch_hard_triplet",
    "group_lasso",
    "group_lasso_gradient",
    "group_lasso_gradients",
    "identity_loss",
    "logit_divergence",
    "row_norms",
    "tap_distance",
]
