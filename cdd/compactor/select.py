"""Selection of the surviving rows of a compactor."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cdd.losses.group_lasso import row_norms


def kept_rows(weight: Float[Tensor, "rows *rest"], threshold: float = 1e-5) -> Bool[Tensor, " rows"]:
    """True for each row whose Euclidean norm is at least the threshold; at least one row is true.

    Args:
        weight: a compactor's weight, or a convolution's: rows are output channels.
        threshold: in units of the weight. Where no row reaches it the single largest is kept.

    Raises:
        ValueError: for a row with NaN or infinite values.

    Source: CDD, Section 3.1.2. Differs: of several equally large rows below the
        threshold the authors keep all, this keeps the first.
    """
    norms = row_norms(weight.detach())
    finite = norms.isfinite()
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0])
        raise ValueError(
            f"Row {row} of the weight is not finite, so its norm is undefined: "
            "the training has diverged; prune an earlier checkpoint."
        )
    kept = norms >= threshold
    if not bool(kept.any()):
        kept[torch.argmax(norms)] = True
    return kept
