"""Training steps that are measured: at a tiny size, both sides learn the same."""

import pytest
import torch
from rich.console import Console

from benchmarks import training_step as steps
from benchmarks.__main__ import details, table
from benchmarks.breakdown import breakdown
from benchmarks.plain_step import PlainStep
from benchmarks.slimming import slimming
from benchmarks.steps import forward_multiply_adds, rehearsal, step_multiply_adds
from cdd.evaluation.cost import cost
from cdd.gradients import RetrievalGuidedResetting
from cdd.training.optimiser import slim
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
    for training_batch in training.batch_stream.of_epoch(1):
        training.step(training_batch)
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


def test_the_plain_step_learns_what_ours_learns() -> None:
    training = rehearsal(student_recipe(), CPU)
    plain = PlainStep(training)
    for training_batch in training.batch_stream.of_epoch(1):
        wanted = plain.step(training_batch.images, training_batch.labels)
        assert training.step(training_batch)["total"] == pytest.approx(wanted, rel=1e-4)
    resetting = training.distiller.get_submodule("resetting")
    assert isinstance(resetting, RetrievalGuidedResetting)
    masks = [mask.tolist() for mask in plain.masks]
    assert masks == [mask.tolist() for mask in resetting.kept()]
    assert not all(map(all, masks))


def test_the_parts_of_a_step_make_it_up() -> None:
    training = rehearsal(student_recipe(), CPU)
    before = [{*vars(module)} for module in training.distiller.modules()]
    shares = breakdown(training)
    assert sum(shares.values()) == pytest.approx(1)
    assert {"RGGR", "convolutions", "batch norm", "optimiser", "lasso and masks", "data"} < {*shares}
    assert min(shares.values()) > 0
    assert [{*vars(module)} for module in training.distiller.modules()] == before
    assert training.teacher is not None
    assert "forward" not in vars(training.teacher)


def test_a_step_stands_against_the_plain_one_and_a_product(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(steps.SIDE, "cpu", 64)
    line = steps.training_step(student_recipe(), "tiny", CPU, compiled=False)
    assert line.times_limit is not None
    assert line.times_limit == pytest.approx(
        line.details["GFLOP/s of a matrix product"] / line.details["GFLOP/s achieved"]
    )
    assert line.speedup is not None
    Console(width=200).print(details(line))
    assert "% convolutions" in capsys.readouterr().out
    monkeypatch.setattr(PlainStep, "step", lambda *given: 0.0)
    with pytest.raises(ValueError, match="of the plain one"):
        steps.training_step(student_recipe(), "tiny", CPU, compiled=False)


def test_what_a_machine_cannot_measure_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    line = steps.paper_step(CPU)
    assert (line.ours, line.speedup, line.times_limit) == (None, None, None)
    Console(width=200).print(table([line]))
    assert "not measured" in capsys.readouterr().out
