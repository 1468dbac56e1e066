"""PKT: the neighbour probabilities of a batch and their divergence."""

from math import log

import pytest
import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.pkt import PKT, neighbour_probabilities, probability_divergence
from tests.losses.test_losses_golden import METHODS, method_input
from tests.methods.descent import share_left

LABELS = torch.arange(8) // 2


def output(embedding):
    return RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding)


def loss(student, teacher):
    return PKT().build(torch.nn.Identity(), None, CODE).terms(output(student), output(teacher), LABELS)["pkt"]


def test_it_is_zero_and_lowest_where_both_agree(points, generator):
    assert probability_divergence(points, points).item() == 0
    for size in (1.0, 0.1, 0.01):
        noise = size * torch.randn(points.shape, generator=generator, dtype=points.dtype)
        assert probability_divergence(points + noise, points) > 0


def test_scale_and_rotation_change_nothing(points):
    rotation, _ = torch.linalg.qr(points.T @ points)
    lengths = torch.rand(12, 1, dtype=torch.float64) + 0.1
    other = torch.randn(12, 3, dtype=torch.float64)
    moved = lengths * points @ rotation
    torch.testing.assert_close(probability_divergence(moved, other), probability_divergence(points, other))
    torch.testing.assert_close(probability_divergence(other, moved), probability_divergence(other, points))


def test_the_order_of_the_batch_is_free(points):
    other, order = torch.randn(12, 7, dtype=torch.float64), torch.randperm(12)
    torch.testing.assert_close(
        probability_divergence(points[order], other[order]), probability_divergence(points, other)
    )


def test_every_row_is_a_distribution(points):
    probabilities = neighbour_probabilities(points)
    assert (probabilities >= 0).all()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(12, dtype=torch.float64))


def test_opposite_and_zero_rows_stay_finite():
    direction = torch.randn(64, 512)
    student = torch.cat([direction, -3 * direction, torch.zeros(2, 512)]).requires_grad_()
    value = loss(student, torch.cat([-direction, direction.roll(1, 0), torch.zeros(2, 512)]))
    value.backward()
    assert value.isfinite()
    assert (neighbour_probabilities(student) >= 0).all()
    assert student.grad.isfinite().all()
    torch.testing.assert_close(student.grad[-2:], torch.zeros(2, 512))


def test_the_teacher_gets_no_gradient():
    student, teacher = torch.randn(8, 4, requires_grad=True), torch.randn(8, 6, requires_grad=True)
    loss(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_autocast_changes_nothing():
    student, teacher = torch.randn(8, 16), torch.randn(8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(student, teacher)
        half = loss(student.bfloat16(), teacher.bfloat16())
    torch.testing.assert_close(found, loss(student, teacher))
    assert half.dtype == torch.float32


def test_descent_lowers_it():
    student, teacher = torch.randn(8, 4, requires_grad=True), torch.randn(8, 6)
    assert share_left(lambda: loss(student, teacher), [student], 0.02) < 0.7


def test_a_teacher_must_be_there():
    distiller = PKT().build(torch.nn.Identity(), None, CODE)
    with pytest.raises(ValueError, match="teacher"):
        distiller.terms(output(torch.randn(8, 4)), None, LABELS)


def test_two_images_by_hand():
    # Equal images share a row as 1/2, 1/2; orthogonal ones, of similarity 1/2, as 2/3, 1/3.
    equal = torch.tensor([[1.0, 0.0], [5.0, 0.0]], dtype=torch.float64)
    orthogonal = torch.eye(2, dtype=torch.float64)
    wanted = (2 / 3 * log(4 / 3) + 1 / 3 * log(2 / 3)) / 2
    assert probability_divergence(equal, orthogonal).item() == pytest.approx(wanted, rel=1e-5)
    assert loss(equal, orthogonal).item() == pytest.approx(30_000 * wanted, rel=1e-5)


def test_it_equals_the_authors_value():
    case = METHODS["pkt"]
    student, teacher = method_input(case, "f_s"), method_input(case, "f_t")
    value = probability_divergence(student, teacher)
    (gradient,) = torch.autograd.grad(value, student)
    assert value.item() == pytest.approx(case["outputs"]["loss"], rel=1e-6)
    assert gradient.norm().item() == pytest.approx(case["outputs"]["grad_norm_student"], rel=1e-6)
