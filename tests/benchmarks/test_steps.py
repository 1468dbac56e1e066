"""Training steps that are measured: at a tiny size, both sides learn the same."""

import pytest
import torch

from benchmarks.slimming import slimming
from benchmarks.steps import forward_multiply_adds, rehearsal, step_multiply_adds
from cdd.evaluation.cost import cost
from cdd.training.slimming import slim
from tests.small import BACKBONE, student_recipe

CPU = torch.device("cpu")


def test_multiply_adds_are_the_ones_that_the_cost_counts_too() -> None:
    training = rehearsal(student_recipe(), CPU)
    images = torch.zeros(3, 3, 16, 16)
    assert training.teacher is not None
    found = forward_multiply_adds(training.teacher, images)
    counted = cost(BACKBONE, 16, 16, identities=training.examples.identities).breakdown
    assert found == 3 * (counted["convolution"] + counted["linear"])
    whole = step_multiply_adds(training, images)
    assert whole == 3 * forward_multiply_adds(training.student, images) + found
    assert training.student.training


def test_galleries_are_full_and_the_resetting_is_at_work() -> None:
    training = rehearsal(student_recipe(), CPU)
    for lesson in training.lessons.of_epoch(1):
        training.step(lesson)
    assert training.distiller.report(0.1)["masked/share"] > 0


def test_a_smaller_student_has_fewer_multiply_adds() -> None:
    line = slimming(student_recipe(), "tiny", CPU)
    assert line.baseline is not None
    assert line.limit is not None
    assert 0.5 < line.limit / line.baseline < 1


def test_students_that_learn_different_things_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(student, *rest):
        student.classifier.weight.data *= 1e4
        return slim(student, *rest)

    monkeypatch.setattr("benchmarks.slimming.slim", wrong)
    with pytest.raises(ValueError, match="the whole student's loss is"):
        slimming(student_recipe(), "tiny", CPU)
