"""Scaling of vectors to unit length."""

import torch
from jaxtyping import Float
from torch import Tensor

from cdd.losses.numerics import at_least_single

SMALLEST_LENGTH = 1e-12
"""Anything shorter has no direction and counts as the zero vector."""


def unit_rows(values: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
    """The vectors along the last axis at length 1; a zero vector stays zero and gets no gradient.

    Dividing by a tiny constant instead would multiply the gradient of a zero vector by its inverse.
    """
    values = at_least_single(values)
    length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    has_direction = length > SMALLEST_LENGTH
    return torch.where(has_direction, values / length.where(has_direction, 1.0), 0.0)
