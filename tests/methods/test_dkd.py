"""DKD: its two parts, their weights and their warm-up."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cdd.contract import CODE, RetrievalOutput
from cdd.losses import logit_divergence
from cdd.methods.dkd import DKD, decoupled_divergences

GOLDEN = Path(__file__).parents[1] / "golden" / "methods.json"
LABELS = torch.tensor([0, 3, 3, 6])


@pytest.fixture
def answers(generator):
    return [3 * torch.randn(4, 7, generator=generator, dtype=torch.float64) for _ in range(2)]


def output(logits):
    return RetrievalOutput(torch.zeros(len(logits), 2), torch.zeros(len(logits), 2), logits)


def terms(method, answers, epoch):
    distiller = method.build(torch.nn.Identity(), None, CODE)
    distiller.start_epoch(epoch)
    return distiller.terms(output(answers[0]), output(answers[1]), LABELS)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_whole_divergence_is_the_first_part_and_the_unlabelled_share_of_the_second(answers, temperature):
    for student, teacher, label in zip(*(logits.split(1) for logits in answers), LABELS, strict=True):
        target, rest = decoupled_divergences(student, teacher, label[None], temperature)
        labelled = (teacher / temperature).softmax(dim=1)[0, label]
        whole = logit_divergence(student, teacher, temperature)
        torch.testing.assert_close(target + (1 - labelled) * rest, whole)


def test_both_parts_are_zero_exactly_where_the_answers_agree(answers):
    student, teacher = answers
    agreeing = decoupled_divergences(teacher + 5.0, teacher, LABELS)
    torch.testing.assert_close(torch.stack(agreeing), torch.zeros(2, dtype=torch.float64))
    assert all(part > 0 for part in decoupled_divergences(student, teacher, LABELS))


def test_the_second_part_does_not_see_the_labelled_identity(answers):
    student, teacher = answers
    _, expected = decoupled_divergences(student, teacher, LABELS)
    changed = student + 9.0 * torch.nn.functional.one_hot(LABELS, 7)
    target, rest = decoupled_divergences(changed, teacher, LABELS)
    torch.testing.assert_close(rest, expected)
    assert target != decoupled_divergences(student, teacher, LABELS)[0]


def test_the_first_part_does_not_see_how_the_others_share(answers):
    student, teacher = answers
    order = torch.tensor([0, 4, 5, 3, 1, 2, 6])
    expected, _ = decoupled_divergences(student, teacher, LABELS)
    torch.testing.assert_close(decoupled_divergences(student[:, order], teacher, LABELS)[0], expected)


def test_three_identities_worked_by_hand():
    # Teacher 1/2 1/4 1/4, student 1/4 1/4 1/2; the first identity is the labelled one.
    teacher = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64).log()
    student = torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64).log()
    target, rest = decoupled_divergences(student, teacher, torch.tensor([0]), temperature=1.0)
    assert target.item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert rest.item() == pytest.approx(0.5 * math.log(3 / 2) + 0.5 * math.log(3 / 4))


def test_two_identities_have_no_second_part(answers):
    student, teacher = (logits[:, :2] for logits in answers)
    _, rest = decoupled_divergences(student, teacher, torch.tensor([0, 1, 1, 0]))
    assert rest == 0


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_confident_answers_give_finite_values_and_gradients(size, dtype):
    labels = torch.tensor([0, 1])
    student = torch.tensor([[size, 0.0, 0.0], [size, 0.0, 7.0]], dtype=dtype, requires_grad=True)
    teacher = torch.tensor([[-size, 0.0, 1.0], [0.0, size, 0.0]], dtype=dtype)
    for part in decoupled_divergences(student, teacher, labels):
        (gradient,) = torch.autograd.grad(part, student, retain_graph=True)
        assert part.isfinite()
        assert gradient.isfinite().all()


def test_a_student_sure_of_the_wrong_identity_pays_in_proportion():
    teacher = torch.tensor([[1e4, 0.0, 0.0]])
    target, _ = decoupled_divergences(-teacher, teacher, torch.tensor([0]), temperature=1.0)
    # The student gives exp(-1e4) / 2 to what is certain for the teacher.
    assert target.item() == pytest.approx(1e4 + math.log(2))


def test_half_precision_is_computed_in_single(answers):
    student, teacher = (logits.bfloat16() for logits in answers)
    found = decoupled_divergences(student, teacher, LABELS)
    expected = decoupled_divergences(student.float(), teacher.float(), LABELS)
    assert all(part.dtype == torch.float32 for part in found)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=0)


def test_no_gradient_reaches_the_teacher(answers):
    student, teacher = (logits.requires_grad_() for logits in answers)
    sum(decoupled_divergences(student, teacher, LABELS)).backward()
    assert teacher.grad is None
    assert student.grad.isfinite().all()


@pytest.mark.parametrize(("epoch", "share"), [(1, 0.05), (10, 0.5), (20, 1.0), (21, 1.0), (100, 1.0)])
def test_the_weights_grow_over_the_warm_up(answers, epoch, share):
    target, rest = decoupled_divergences(*answers, LABELS, temperature=4.0)
    found = terms(DKD(), answers, epoch)
    torch.testing.assert_close(found["decoupled_target"], share * target)
    torch.testing.assert_close(found["decoupled_rest"], share * 8.0 * rest)


def test_without_warm_up_the_weights_are_full_from_the_start(answers):
    first = terms(DKD(warmup_epochs=0), answers, epoch=1)
    torch.testing.assert_close(first, terms(DKD(), answers, epoch=20))


def test_the_settings_reach_the_parts(answers):
    target, rest = decoupled_divergences(*answers, LABELS, temperature=1.0)
    found = terms(DKD(alpha=2.0, beta=0.5, temperature=1.0, warmup_epochs=1), answers, epoch=1)
    torch.testing.assert_close(found["decoupled_target"], 2.0 * target)
    torch.testing.assert_close(found["decoupled_rest"], 0.5 * rest)


def test_a_teacher_must_be_there(answers):
    distiller = DKD().build(torch.nn.Identity(), None, CODE)
    with pytest.raises(ValueError, match="teacher"):
        distiller.terms(output(answers[0]), None, LABELS)


def test_what_cannot_be_compared_is_refused(unchecked_shapes, answers):
    student, teacher = answers
    with pytest.raises(ValueError, match=r"student logits have shape \(4, 6\)"):
        decoupled_divergences(student[:, 1:], teacher, LABELS)
    with pytest.raises(ValueError, match=r"labels \(3,\)"):
        decoupled_divergences(student, teacher, LABELS[1:])
    with pytest.raises(ValueError, match="one identity"):
        decoupled_divergences(student[:, :1], teacher[:, :1], torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match="temperature is 0"):
        decoupled_divergences(student, teacher, LABELS, temperature=0.0)


def test_values_and_gradient_equal_the_authors():
    (case,) = [c for c in json.loads(GOLDEN.read_text())["cases"] if c["name"] == "dkd_a1_b8_T4"]
    student, teacher = (golden_logits(case["inputs"][name]) for name in ("logits_s", "logits_t"))
    labels, hyper = torch.tensor(case["inputs"]["labels"]), case["hyper"]
    target, rest = decoupled_divergences(student.requires_grad_(), teacher, labels, hyper["T"])
    loss = hyper["alpha"] * target + hyper["beta"] * rest
    (gradient,) = torch.autograd.grad(loss, student)
    found = [target.item(), rest.item(), loss.item(), gradient.norm().item()]
    names = ("tckd", "nckd", "loss", "grad_norm_student")
    assert found == pytest.approx([case["outputs"][name] for name in names], rel=1e-6)


def golden_logits(spec):
    values = np.random.default_rng(spec["seed"]).standard_normal(spec["shape"]).astype("float32")
    return torch.from_numpy(values * np.float32(spec["post"].removeprefix("mul:"))).double()
