"""The precision in which losses are computed, and vectors at unit length."""

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST_LENGTH = 1e-12
"""Anything shorter has no direction and counts as the zero vector."""


def at_least_single(values: Tensor) -> Tensor:
    """The values in float32, or unchanged where they are float64.

    Sums over thousands of half-precision terms lose the small ones, so no loss is computed below float32.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))


def unit_rows(values: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
    """The vectors along the last axis at length 1; a zero vector stays zero and gets no gradient.

    Dividing by a tiny constant instead would multiply the gradient of a zero vector by its inverse.
    """
    values = at_least_single(values)
    length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    has_direction = length > SMALLEST_LENGTH
    return torch.where(has_direction, values / length.where(has_direction, 1.0), 0.0)
