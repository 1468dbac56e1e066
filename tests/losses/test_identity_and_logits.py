import math

import pytest
import torch

from cdd.losses import identity_loss, logit_divergence


@pytest.fixture
def logits():
    return 3 * torch.randn(2, 8, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


LABELS = torch.arange(8) * 2


def test_identity_loss_is_the_cross_entropy_with_the_smoothed_target(logits):
    target = torch.full((8, 20), 0.1 / 20, dtype=torch.float64)
    target[torch.arange(8), LABELS] += 0.9
    expected = -(target * logits[0].log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(identity_loss(logits[0], LABELS), expected)


def test_identity_loss_of_even_logits_is_the_logarithm_of_the_identities():
    assert identity_loss(torch.zeros(4, 20), LABELS[:4]).item() == pytest.approx(math.log(20))


def test_identity_loss_takes_half_precision_and_small_label_types(logits):
    loss = identity_loss(logits[0].bfloat16(), LABELS.int())
    assert loss.dtype == torch.float32


def test_logit_divergence_is_positive_and_zero_only_for_equal_answers(logits):
    student, teacher = logits
    assert logit_divergence(student, teacher) > 0
    assert logit_divergence(teacher + 7.0, teacher).item() == pytest.approx(0, abs=1e-12)


def test_logit_divergence_worked_by_hand():
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    # At temperature 2 the teacher says 3/4 : 1/4, the student 1/2 : 1/2.
    expected = 4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert logit_divergence(student, teacher, 2.0).item() == pytest.approx(expected)


def test_high_temperature_compares_centred_logits(logits):
    student, teacher = (value - value.mean(1, keepdim=True) for value in logits)
    limit = ((student - teacher) ** 2).mean(1).mean() / 2
    torch.testing.assert_close(logit_divergence(student, teacher, 1e4), limit, rtol=1e-3, atol=0)


def test_no_gradient_reaches_the_teacher(logits):
    student, teacher = (value.clone().requires_grad_() for value in logits)
    logit_divergence(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_half_precision_is_computed_in_single(logits):
    assert logit_divergence(logits[0].half(), logits[1].half()).dtype == torch.float32


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(logits, temperature):
    with pytest.raises(ValueError, match="use a value above 0"):
        logit_divergence(logits[0], logits[1], temperature)


def test_logits_of_different_identities_are_refused(unchecked_shapes, logits):
    with pytest.raises(ValueError, match="same identities"):
        logit_divergence(logits[0], logits[1][:, :5])
