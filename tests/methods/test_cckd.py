"""CCKD: neighbours in batch order, and the kernels of the paper."""

from math import exp

import pytest
import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.cckd import (
    CCKD,
    bilinear_kernel,
    gaussian_kernel,
    kernel_distance,
    neighbour_congruence,
)
from tests.losses.test_losses_golden import METHODS, method_input
from tests.methods.descent import share_left

LABELS = torch.arange(8) // 2
FORMS = ("neighbour", "gaussian", "bilinear")
KERNELS = (gaussian_kernel, bilinear_kernel)


@pytest.fixture
def other(points, generator):
    """As many points again; the shared generator has moved on."""
    return torch.randn(points.shape, generator=generator, dtype=points.dtype)


def output(embedding):
    return RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding)


def loss(student, teacher, **settings):
    distiller = CCKD(**settings).build(torch.nn.Identity(), None, CODE)
    return distiller.terms(output(student), output(teacher), LABELS)["cckd"]


def unit(case, name):
    """An input whose recipe ends in `l2rows`, which divides in float32."""
    values = method_input(case, name, torch.float32).detach().numpy()
    assert case["inputs"][name].get("post") == "l2rows"
    values = values / (values**2).sum(axis=1, keepdims=True) ** 0.5
    return torch.from_numpy(values).double().requires_grad_()


@pytest.mark.parametrize("form", FORMS)
def test_it_is_zero_where_both_agree_and_ignores_scale(form, points, other):
    assert loss(points, points, form=form).item() == 0
    torch.testing.assert_close(loss(7 * points, 0.1 * other, form=form), loss(points, other, form=form))
    assert loss(points, other, form=form) > 0


@pytest.mark.parametrize("form", FORMS[1:])
def test_kernels_ignore_rotation_and_order(form, points):
    other, order = torch.randn(12, 7, dtype=torch.float64), torch.randperm(12)
    rotation, _ = torch.linalg.qr(points.T @ points)
    wanted = loss(points, other, form=form)
    torch.testing.assert_close(loss(points @ rotation, other, form=form), wanted)
    torch.testing.assert_close(loss(points[order], other[order], form=form), wanted)


def test_neighbours_depend_on_the_order_but_not_on_the_direction(points, other):
    wanted = neighbour_congruence(points, other)
    torch.testing.assert_close(neighbour_congruence(points.flip(0), other.flip(0)), wanted)
    order = torch.randperm(12)
    assert neighbour_congruence(points[order], other[order]) != pytest.approx(wanted.item(), rel=1e-3)


def test_the_series_comes_near_the_gaussian(points):
    rows = torch.nn.functional.normalize(points, dim=1)
    wanted = (-0.4 * torch.cdist(rows, rows).square()).exp()
    torch.testing.assert_close(gaussian_kernel(rows, 0.4, degree=12), wanted)
    errors = [(gaussian_kernel(rows, 0.4, degree) - wanted).abs().max().item() for degree in (1, 2, 4)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_zero_rows_and_agreement_give_finite_gradients(form, squared):
    student = torch.cat([torch.randn(3, 4), torch.zeros(1, 4)]).requires_grad_()
    loss(student, student.detach().clone(), form=form, squared=squared).backward()
    torch.testing.assert_close(student.grad, torch.zeros(4, 4))


@pytest.mark.parametrize("form", FORMS)
def test_the_teacher_gets_no_gradient(form):
    student, teacher = torch.randn(2, 4, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    loss(student, teacher, form=form).backward()
    assert student.grad is not None
    assert teacher.grad is None


@pytest.mark.parametrize("form", FORMS)
def test_autocast_changes_nothing(form):
    student, teacher = torch.randn(8, 16), torch.randn(8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(student, teacher, form=form)
        half = loss(student.bfloat16(), teacher.bfloat16(), form=form)
    torch.testing.assert_close(found, loss(student, teacher, form=form))
    assert half.dtype == torch.float32


@pytest.mark.parametrize("form", FORMS)
def test_descent_lowers_it(form):
    student, teacher = torch.randn(8, 4, requires_grad=True), torch.randn(8, 4)
    assert share_left(lambda: loss(student, teacher, form=form), [student], 0.02) < 0.8


def test_a_teacher_must_be_there():
    distiller = CCKD().build(torch.nn.Identity(), None, CODE)
    with pytest.raises(ValueError, match="teacher"):
        distiller.terms(output(torch.randn(8, 4)), None, LABELS)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("shapes", [((4, 3), (4, 5)), ((1, 3), (1, 3))])
def test_neighbours_need_one_width_and_a_pair(shapes):
    with pytest.raises(ValueError, match="2 rows or more"):
        neighbour_congruence(*(torch.randn(shape) for shape in shapes))


def test_the_settings_reach_the_kernel(points, other):
    kernels = [
        gaussian_kernel(torch.nn.functional.normalize(rows, dim=1), 1.5, 3) for rows in (points, other)
    ]
    found = loss(points, other, form="gaussian", gamma=1.5, degree=3, weight=2)
    torch.testing.assert_close(found, 2 * kernel_distance(*kernels))


def test_neighbours_by_hand():
    student = torch.tensor([[1.0, -2.0], [3.0, 0.0], [0.0, 1.0]])
    # Inner products 3 + 0 and 0 + 0 of the absolute differences to zero.
    assert neighbour_congruence(student, torch.zeros(3, 2)).item() == pytest.approx(1.5)
    # At unit length: (1, 0) and (0, 1) against (0, 1) and (1, 0), differences (1, 1) twice.
    assert loss(2 * torch.eye(2), 3 * torch.eye(2).flip(0)).item() == pytest.approx(5 * 2)


def test_kernels_by_hand():
    orthogonal, equal = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    constant, full = exp(-0.8), exp(-0.8) * (1 + 0.8 + 0.32)
    torch.testing.assert_close(
        gaussian_kernel(orthogonal), torch.tensor([[full, constant], [constant, full]])
    )
    # The kernels differ in the two entries beside the diagonal, in the bilinear one by 1 each.
    found = kernel_distance(bilinear_kernel(orthogonal), bilinear_kernel(equal))
    assert found.item() == pytest.approx(2**0.5 / 4)
    found = loss(orthogonal, equal, form="gaussian", squared=True)
    assert found.item() == pytest.approx(5 * 2 * (full - constant) ** 2 / 4)


def test_neighbours_equal_the_authors_value():
    case = METHODS["cc_neighbour"]
    student, teacher = method_input(case, "f_s"), method_input(case, "f_t")
    check(case, neighbour_congruence(student, teacher), student)


def test_the_gaussian_kernel_equals_the_reference_value():
    case = METHODS["cckd_gaussian"]
    student, teacher = unit(case, "f_s"), unit(case, "f_t")
    kernels = [
        gaussian_kernel(rows, case["hyper"]["gamma"], case["hyper"]["max_p"]) for rows in (student, teacher)
    ]
    check(case, kernel_distance(*kernels), student)
    squared = kernel_distance(*kernels, squared=True).item()
    assert squared == pytest.approx(case["outputs"]["loss_paper_squared_mean"], rel=1e-6)


def check(case, value, student):
    (gradient,) = torch.autograd.grad(value, student, retain_graph=True)
    assert value.item() == pytest.approx(case["outputs"]["loss"], rel=1e-6)
    assert gradient.norm().item() == pytest.approx(case["outputs"]["grad_norm_student"], rel=1e-6)
