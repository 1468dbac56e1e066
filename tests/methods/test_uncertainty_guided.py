"""The reconstructed loss of UMTS: laws and a case by hand."""

import math

import pytest
import torch

from cdd.methods.uncertainty_guided import uncertainty_weighted_distance


def test_with_unit_variance_it_is_half_the_squared_distance():
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)
    expected = 0.5 * (student - teacher).square().sum(dim=1).mean()
    torch.testing.assert_close(uncertainty_weighted_distance(student, teacher, torch.zeros(4)), expected)


def test_a_case_by_hand():
    student, teacher = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    log_variance = torch.tensor([0.0, math.log(5.0)])
    expected = ((4 / 2 + 0) + (25 / 10 + 0.5 * math.log(5))) / 2
    assert uncertainty_weighted_distance(student, teacher, log_variance).item() == pytest.approx(expected)


def test_the_best_variance_is_the_squared_distance():
    student, teacher = torch.randn(1, 6, dtype=torch.float64), torch.zeros(1, 6, dtype=torch.float64)
    log_variance = student.square().sum(dim=1).log().requires_grad_()
    uncertainty_weighted_distance(student, teacher, log_variance).backward()
    torch.testing.assert_close(log_variance.grad, torch.zeros(1, dtype=torch.float64))


def test_no_gradient_reaches_the_teacher():
    teacher = torch.randn(2, 3, requires_grad=True)
    uncertainty_weighted_distance(torch.randn(2, 3, requires_grad=True), teacher, torch.zeros(2)).backward()
    assert teacher.grad is None


@pytest.mark.usefixtures("unchecked_shapes")
def test_unequal_features_are_refused():
    with pytest.raises(ValueError, match="one log variance per row"):
        uncertainty_weighted_distance(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(3))
