"""CSKD: the context of an image among the teacher's neighbours, in the batch or in a bank."""

from math import exp, log

import pytest
import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.cskd import CSKD, contextual_divergence
from tests.losses.test_losses_golden import METHODS, method_input
from tests.methods.descent import share_left

LABELS = torch.arange(8) // 2


def output(embedding):
    return RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding)


def built(**settings):
    return CSKD(**settings).build(torch.nn.Identity(), None, CODE)


def loss(student, teacher, distiller=None):
    return (distiller or built()).terms(output(student), output(teacher), LABELS)["cskd"]


@pytest.fixture
def other(points, generator):
    """As many points again; the shared generator has moved on."""
    return torch.randn(points.shape, generator=generator, dtype=points.dtype)


@pytest.mark.parametrize("neighbours", [None, 3, 500])
def test_it_is_zero_and_lowest_where_both_agree_at_one_temperature(neighbours, points, other):
    same = {"neighbours": neighbours, "temperatures": (0.2, 0.2)}
    assert contextual_divergence(points, points, points, **same).item() == pytest.approx(0, abs=1e-12)
    assert contextual_divergence(other, points, points, **same) > 0


def test_scale_order_and_a_shared_rotation_change_nothing(points, other):
    wanted = loss(points, other)
    rotation, _ = torch.linalg.qr(points.T @ points)
    lengths = torch.rand(12, 1, dtype=torch.float64) + 0.1
    torch.testing.assert_close(loss(lengths * points, 7 * lengths * other), wanted)
    torch.testing.assert_close(loss(points @ rotation, other @ rotation), wanted)
    order = torch.randperm(12)
    torch.testing.assert_close(loss(points[order], other[order]), wanted)
    # It is the teacher's space that counts: turning the student alone is seen.
    assert loss(points @ rotation, other) != pytest.approx(wanted.item(), rel=1e-3)


def test_only_the_teachers_nearest_count(points, other):
    gallery = torch.cat([other, -other])
    wanted = contextual_divergence(points, other, gallery, neighbours=4)
    nearest = torch.nn.functional.normalize(other, dim=1) @ torch.nn.functional.normalize(gallery, dim=1).T
    singly = [
        contextual_divergence(points[i : i + 1], other[i : i + 1], gallery[nearest[i].topk(4).indices])
        for i in range(12)
    ]
    torch.testing.assert_close(torch.stack(singly).mean(), wanted)


def test_the_settings_reach_the_loss(points, other):
    settings = {"neighbours": 4, "student_temperature": 0.3, "teacher_temperature": 0.2, "weight": 2}
    wanted = contextual_divergence(points, other, other, neighbours=4, temperatures=(0.3, 0.2))
    torch.testing.assert_close(loss(points, other, built(**settings)), 2 * wanted)


def test_zero_rows_stay_finite():
    student = torch.cat([torch.randn(7, 4), torch.zeros(1, 4)]).requires_grad_()
    value = loss(student, torch.zeros(8, 4))
    value.backward()
    assert value.isfinite()
    torch.testing.assert_close(student.grad[-1], torch.zeros(4))


def test_the_teacher_gets_no_gradient():
    student, teacher = torch.randn(2, 4, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    loss(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_autocast_changes_nothing():
    student, teacher = torch.randn(8, 16), torch.randn(8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(student, teacher)
        half = loss(student.bfloat16(), teacher.bfloat16())
    torch.testing.assert_close(found, loss(student, teacher))
    assert half.dtype == found.dtype == torch.float32


@pytest.mark.parametrize("gallery", ["batch", "bank"])
def test_descent_lowers_it(gallery):
    student, teacher = torch.randn(8, 4, requires_grad=True), torch.randn(8, 4)
    distiller = built(gallery=gallery)
    distiller.prepare(lambda: iter([output(torch.randn(8, 4)), output(teacher)]))
    assert share_left(lambda: loss(student, teacher, distiller), [student], 0.05) < 0.9


def test_a_bank_of_the_batch_is_the_batch():
    student, teacher = torch.randn(8, 4), torch.randn(8, 4)
    distiller = built(gallery="bank")
    distiller.prepare(lambda: iter(output(part) for part in teacher.split(3)))
    torch.testing.assert_close(loss(student, teacher, distiller), loss(student, teacher))


def test_a_bank_travels_in_the_state_dict():
    teacher = torch.randn(8, 4)
    distiller, restored = built(gallery="bank"), built(gallery="bank")
    distiller.prepare(lambda: iter([output(teacher)]))
    restored.load_state_dict(distiller.state_dict())
    torch.testing.assert_close(restored.bank, distiller.bank, rtol=0, atol=0)
    assert list(restored.parameters()) == []


def test_a_missing_bank_in_a_state_dict_is_told():
    with pytest.raises(RuntimeError, match="bank"):
        built(gallery="bank").load_state_dict({})


def test_the_batch_needs_no_bank():
    distiller = built()
    distiller.prepare(lambda: iter([output(torch.randn(8, 4))]))
    assert len(distiller.bank) == 0


def test_an_empty_bank_is_told():
    distiller = built(gallery="bank")
    with pytest.raises(ValueError, match="call prepare"):
        loss(torch.randn(8, 4), torch.randn(8, 4), distiller)
    with pytest.raises(ValueError, match="training image"):
        distiller.prepare(lambda: iter([]))


def test_a_teacher_must_be_there():
    with pytest.raises(ValueError, match="teacher"):
        built().terms(output(torch.randn(8, 4)), None, LABELS)


@pytest.mark.usefixtures("unchecked_shapes")
def test_both_need_one_width():
    with pytest.raises(ValueError, match="one width"):
        loss(torch.randn(8, 3), torch.randn(8, 4))


def test_two_images_by_hand():
    # Teacher similarities 1 and 0, student similarities 0 and 1, both at temperature 1.
    unit = torch.eye(2, dtype=torch.float64)
    near = exp(1) / (exp(1) + 1)
    wanted = near * log(near / (1 - near)) + (1 - near) * log((1 - near) / near)
    found = contextual_divergence(unit.flip(0), unit, unit, temperatures=(1.0, 1.0))
    assert found.item() == pytest.approx(wanted)
    # A sharp teacher is sure of itself; what remains is the student's own surprise.
    assert loss(unit, 3 * unit).item() == pytest.approx(-5 * log(near))


def test_it_equals_the_reference_value():
    case = METHODS["cskd_inbatch_k12"]
    student, teacher = method_input(case, "f_s"), method_input(case, "f_t")
    hyper = case["hyper"]
    value = contextual_divergence(
        student,
        teacher,
        teacher,
        neighbours=hyper["top_k"],
        temperatures=(hyper["temp_student"], hyper["temp_teacher"]),
    )
    (gradient,) = torch.autograd.grad(value, student)
    assert value.item() == pytest.approx(case["outputs"]["loss"], rel=1e-6)
    assert gradient.norm().item() == pytest.approx(case["outputs"]["grad_norm_student"], rel=1e-6)
