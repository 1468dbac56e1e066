"""RKD: what relations of a batch are, and what their losses ignore."""

import pytest
import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.losses.numerics import unit_rows
from cdd.methods.rkd import (
    RKD,
    angle_cosines,
    angle_loss,
    distance_loss,
    relative_distances,
)
from tests.losses.test_losses_golden import METHODS, method_input

LABELS = torch.arange(8) // 2
RIGHT_TRIANGLE = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)


def output(embedding):
    return RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding)


def terms(student, teacher):
    return RKD().build(torch.nn.Identity(), None, CODE).terms(output(student), output(teacher), LABELS)


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
def test_similarity_transforms_change_nothing(loss, points):
    rotation, _ = torch.linalg.qr(points.T @ points)
    torch.testing.assert_close(loss(3.0 * points @ rotation + 10.0, points), torch.zeros_like(points[0, 0]))
    other = torch.randn(12, 3, dtype=torch.float64)
    torch.testing.assert_close(loss(3.0 * points @ rotation + 10.0, other), loss(points, other))


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
def test_the_order_of_the_batch_is_free(loss, points):
    other, order = torch.randn(12, 7, dtype=torch.float64), torch.randperm(12)
    torch.testing.assert_close(loss(points[order], other[order]), loss(points, other))


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
def test_two_images_have_one_relation_only(loss):
    student = torch.randn(2, 4, requires_grad=True)
    value = loss(student, torch.randn(2, 6))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert student.grad is not None
    torch.testing.assert_close(student.grad, torch.zeros(2, 4))


def test_one_image_has_no_relation():
    with pytest.raises(ValueError, match="2 or more"):
        relative_distances(torch.randn(1, 4))


@pytest.mark.parametrize("student", [torch.zeros(4, 3), torch.eye(4, 3)[[0, 0, 1, 2]]])
def test_equal_images_give_finite_gradients(student):
    student = student.requires_grad_()
    sum(terms(student, torch.randn(4, 5)).values()).backward()
    assert student.grad.isfinite().all()
    assert student.grad.abs().max() < 1e3


def test_a_zero_row_has_no_direction_and_no_gradient():
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    unit = unit_rows(rows)
    torch.testing.assert_close(unit, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    unit.sum().backward()
    torch.testing.assert_close(rows.grad[1], torch.zeros(2))


def test_the_teacher_gets_no_gradient():
    student, teacher = torch.randn(8, 4, requires_grad=True), torch.randn(8, 6, requires_grad=True)
    sum(terms(student, teacher).values()).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_autocast_changes_nothing():
    student, teacher = torch.randn(8, 16), torch.randn(8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = terms(student, teacher)
        half = terms(student.bfloat16(), teacher.bfloat16())
    for name, wanted in terms(student, teacher).items():
        torch.testing.assert_close(found[name], wanted)
        assert half[name].dtype == torch.float32


def test_descent_lowers_it():
    student, teacher = torch.randn(8, 4, requires_grad=True), torch.randn(8, 6)
    optimiser = torch.optim.Adam([student], lr=0.02)
    first = sum(terms(student, teacher).values()).item()
    for _ in range(30):
        optimiser.zero_grad()
        sum(terms(student, teacher).values()).backward()
        optimiser.step()
    assert sum(terms(student, teacher).values()).item() < 0.7 * first


def test_a_teacher_must_be_there():
    distiller = RKD().build(torch.nn.Identity(), None, CODE)
    with pytest.raises(ValueError, match="teacher"):
        distiller.terms(output(torch.randn(8, 4)), None, LABELS)


def test_the_right_triangle_by_hand():
    # Sides 3, 4 and 5 have the mean 4; the cosines are 0 at the origin, 3/5 and 4/5 at the others.
    wanted = torch.tensor([[0, 0.75, 1], [0.75, 0, 1.25], [1, 1.25, 0]], dtype=torch.float64)
    torch.testing.assert_close(relative_distances(RIGHT_TRIANGLE), wanted)
    cosines = angle_cosines(RIGHT_TRIANGLE)
    assert [cosines[0, 1, 2], cosines[1, 0, 2], cosines[2, 0, 1]] == pytest.approx([0, 0.6, 0.8])
    assert cosines[0, 0, 1] == 0
    assert cosines[0, 1, 1] == 1


def test_the_losses_of_two_triangles_by_hand():
    equilateral = torch.eye(3, dtype=torch.float64)
    assert distance_loss(equilateral, RIGHT_TRIANGLE).item() == pytest.approx(4 * 0.5 * 0.25**2 / 9)
    squares = 0.5**2 + 0.1**2 + 0.3**2
    assert angle_loss(equilateral, RIGHT_TRIANGLE).item() == pytest.approx(2 * 0.5 * squares / 27)


def test_it_equals_the_authors_values():
    case = METHODS["rkd"]
    student, teacher = method_input(case, "f_s"), method_input(case, "f_t")
    found, wanted = terms(student, teacher), case["outputs"]
    total = sum(found.values())
    (gradient,) = torch.autograd.grad(total, student)
    assert found["rkd_distance"].item() / 25 == pytest.approx(wanted["loss_distance_only"], rel=1e-6)
    assert found["rkd_angle"].item() / 50 == pytest.approx(wanted["loss_angle_only"], rel=1e-6)
    assert total.item() == pytest.approx(wanted["loss"], rel=1e-6)
    assert gradient.norm().item() == pytest.approx(wanted["grad_norm_student"], rel=1e-6)
