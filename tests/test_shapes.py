"""The tests' own shape checker sees wrong shapes, and nothing else."""

from typing import Literal, Self

import pytest
import torch
from jaxtyping import Float, TypeCheckError, jaxtyped
from torch import Tensor

from cdd.gradients.resetting import unimportant_channels
from tests.shapes import check_shapes


@jaxtyped(typechecker=check_shapes)
def row_sums(
    values: Float[Tensor, "rows dim"],
    weights: Float[Tensor, " dim"] | None = None,
    mode: Literal["sum"] = "sum",
) -> Float[Tensor, " rows"]:
    if mode != "sum":
        raise ValueError("mode")
    return values.sum(dim=1) if weights is None else values @ weights.outer(weights)


def test_fitting_shapes_pass():
    assert row_sums(torch.ones(2, 3)).shape == (2,)


@pytest.mark.parametrize("weights", [torch.ones(3), torch.ones(2)], ids=["wrong result", "wrong argument"])
def test_a_shape_that_does_not_fit_is_an_error(weights):
    with pytest.raises(TypeCheckError):
        row_sums(torch.ones(2, 3), weights)


def test_a_wrong_value_without_a_shape_is_left_to_the_library():
    with pytest.raises(ValueError, match="mode"):
        row_sums(torch.ones(2, 3), mode="mean")


def test_annotations_for_mypy_alone_are_left_alone():
    class Settings:
        @jaxtyped(typechecker=check_shapes)
        def validated(self) -> Self:
            return self

    assert isinstance(Settings().validated(), Settings)


def test_checks_can_be_switched_off(unchecked_shapes):
    assert row_sums(torch.ones(2, 3), torch.ones(3)).shape == (2, 3)


def test_the_library_is_checked():

    with pytest.raises(TypeCheckError):
        unimportant_channels(torch.ones(2, 3), torch.ones(2, 4), torch.ones(5, 4))
