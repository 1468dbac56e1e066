"""Numerical precision of the losses."""

import torch
from torch import Tensor


def at_least_single(values: Tensor) -> Tensor:
    """The values in float32, or unchanged where they are float64.

    Sums over thousands of half-precision terms lose the small ones, so no loss is computed below float32.
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
