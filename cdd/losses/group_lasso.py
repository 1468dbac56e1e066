"""Group lasso over rows, which drives whole output channels to zero."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from cdd.losses.numerics import at_least_single


def row_norms(weight: Float[Tensor, "rows *rest"]) -> Float[Tensor, " rows"]:
    """Euclidean norm of each row; a row is one index of the first axis, all other axes flattened.

    In at least float32. The gradient at an exactly zero row is zero.

    Source: CDD, Section 3.1.1, Equation 2 (the norms of a compactor's output rows).
    """
    norms: Tensor = torch.linalg.vector_norm(at_least_single(weight).reshape(weight.shape[0], -1), dim=1)
    return norms


def group_lasso(weights: Sequence[Float[Tensor, "_ ..."]]) -> Float[Tensor, ""]:
    """Sum of the row norms of all weights, without a strength factor.

    Raises:
        ValueError: for no weight at all.

    Source: CDD, Section 3.1.1, Equation 2.
    """
    if not weights:
        raise ValueError("The group lasso got no weight: give the weight of at least one compactor.")
    return torch.stack([row_norms(weight).sum() for weight in weights]).sum()


def group_lasso_gradient(
    weight: Float[Tensor, "rows *rest"], floor: float = 1e-12
) -> Float[Tensor, "rows *rest"]:
    """`group_lasso_gradients` for one weight."""
    return group_lasso_gradients([weight], floor)[0]


def group_lasso_gradients(
    weights: Sequence[Float[Tensor, "_ ..."]], floor: float = 1e-12
) -> list[Float[Tensor, "_ ..."]]:
    """Gradient of `group_lasso` with respect to each weight: each row divided by its norm.

    Differs: the authors divide by the bare norm, which is NaN for an exactly zero row; here such a
    row has gradient zero.

    Args:
        weights: rows along the first axis.
        floor: smallest norm divided by.

    Returns:
        Rows of norm 1 (below the floor, shorter), in at least float32, without autograd history.

    Source: CDD, Section 3.2, Equation 5.
    """
    wide = [at_least_single(weight.detach()) for weight in weights]
    norms = [along_rows(row_norms(weight), weight) for weight in wide]
    # Over all weights in one call: a network has many small ones.
    torch._foreach_clamp_min_(norms, floor)
    return list(torch._foreach_div(wide, norms))


def along_rows(values: Shaped[Tensor, " rows"], weight: Float[Tensor, "rows *rest"]) -> Tensor:
    """One value per row in a shape that broadcasts over the weight."""
    return values.reshape(-1, *[1] * (weight.ndim - 1))
