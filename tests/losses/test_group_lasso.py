import pytest
import torch

from cdd.losses import group_lasso, group_lasso_gradient, row_norms


@pytest.fixture
def weight():
    return torch.randn(6, 6, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_rows_are_the_first_axis():
    weight = torch.tensor([[3.0, 4.0], [0.0, 0.0], [5.0, 12.0]])
    assert row_norms(weight).tolist() == [5.0, 0.0, 13.0]
    assert row_norms(weight.reshape(3, 1, 2, 1)).tolist() == [5.0, 0.0, 13.0]
    assert row_norms(torch.tensor([-2.0, 1.0])).tolist() == [2.0, 1.0]


def test_the_lasso_adds_up_over_weights(weight):
    both = group_lasso([weight, 2 * weight])
    torch.testing.assert_close(both, 3 * row_norms(weight).sum())


def test_a_rotation_of_the_inputs_changes_nothing(weight):
    rotation, _ = torch.linalg.qr(weight[:, :, 0, 0])
    torch.testing.assert_close(group_lasso([weight[:, :, 0, 0] @ rotation]), group_lasso([weight]))


def test_the_gradient_is_the_derivative(weight):
    weight.requires_grad_()
    (expected,) = torch.autograd.grad(group_lasso([weight]), weight)
    found = group_lasso_gradient(weight)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(row_norms(found), torch.ones(6, dtype=torch.float64))
    assert not found.requires_grad


def test_a_zero_row_has_gradient_zero_both_ways(weight):
    weight[2] = 0
    weight.requires_grad_()
    (automatic,) = torch.autograd.grad(group_lasso([weight]), weight)
    for gradient in (automatic, group_lasso_gradient(weight)):
        assert gradient.isfinite().all()
        assert torch.equal(gradient[2], torch.zeros(6, 1, 1, dtype=torch.float64))


def test_below_the_floor_the_gradient_fades():
    gradient = group_lasso_gradient(torch.tensor([[3.0], [0.5]]), floor=2.0)
    assert gradient.tolist() == [[1.0], [0.25]]


def test_no_weight_is_refused():
    with pytest.raises(ValueError, match="at least one compactor"):
        group_lasso([])
