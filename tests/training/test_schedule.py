"""Learning rates of the paper and the authors' release."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdd.recipe import Schedule
from cdd.training.schedule import learning_rate
from experiments.common.settings import SETTINGS

GOLDEN = Path(__file__).parents[1] / "golden"
PAPER = Schedule()
CASES = json.loads((GOLDEN / "cdd.json").read_text())["5_lr"]


@pytest.mark.parametrize("epochs", [100, 120])
@pytest.mark.parametrize(("group", "factor"), [("base", 1.0), ("neck", 1.5)])
def test_every_epoch_equals_the_release(epochs: int, group: str, factor: float) -> None:
    schedule = Schedule(epochs=epochs)
    found = [learning_rate(schedule, epoch, factor) for epoch in range(epochs)]
    assert found == pytest.approx(CASES[f"epochs{epochs}_{group}"], rel=1e-9)


def test_single_epochs_of_the_release() -> None:
    cases = json.loads((GOLDEN / "methods.json").read_text())["cases"]
    (case,) = [case for case in cases if case["name"] == "lr_schedule_100"]
    for epoch, rate in case["outputs"]["lr_by_epoch"].items():
        assert learning_rate(PAPER, int(epoch) - 1) == pytest.approx(rate, rel=1e-9)


def test_a_schedule_by_epoch_stands_still_within_an_epoch() -> None:
    assert learning_rate(PAPER, 57.9) == learning_rate(PAPER, 57)


def test_a_schedule_by_iteration_passes_through_the_epochs_rates() -> None:
    smooth = Schedule(step="iteration")
    for epoch in range(100):
        assert learning_rate(smooth, epoch) == learning_rate(PAPER, epoch)
    assert learning_rate(smooth, 5.5) == pytest.approx(0.001 + 0.55 * 0.009)


@given(st.floats(40, 100), st.floats(40, 100))
def test_after_the_flat_part_the_rate_never_rises(first: float, second: float) -> None:
    smooth = Schedule(step="iteration")
    early, late = sorted((first, second))
    assert learning_rate(smooth, late) <= learning_rate(smooth, early)


def test_the_last_iterations_are_small_enough_for_the_pruning_threshold() -> None:

    setting = SETTINGS["veri776", "mini"]
    last = learning_rate(setting.schedule, setting.schedule.epochs - 1 / 80)
    # A row at zero swings by about twice this.
    assert 2 * last * setting.cdd.sparsity < 1e-6


def test_the_shrinking_budget_of_mini_lets_rows_vanish() -> None:

    setting = SETTINGS["veri776", "mini"]
    rates = [learning_rate(setting.schedule, step / 80) for step in range(80 * setting.schedule.epochs)]
    assert sum(rates) * setting.cdd.sparsity / (1 - 0.9) > 10


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(Schedule(warmup_epochs=0), 0) == 0.01


def test_unordered_schedules_are_refused() -> None:
    with pytest.raises(ValueError, match=r"flat_until_epoch.*must satisfy"):
        Schedule(epochs=10, warmup_epochs=2, flat_until_epoch=12)


STEPS = Schedule(
    epochs=240, peak_learning_rate=0.05, warmup_epochs=0, flat_until_epoch=0, milestones=(150, 180, 210)
)


# Jain et al., supplement, Section C.1: 0.05, times 0.1 after 150, 180 and 210 of 240 epochs.
@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(149, 5e-2), (150, 5e-3), (180, 5e-4), (209, 5e-4), (210, 5e-5), (239, 5e-5)],
)
def test_steps_fall_at_their_epochs(epoch: int, rate: float) -> None:
    assert learning_rate(STEPS, epoch) == pytest.approx(rate)
    assert learning_rate(STEPS, epoch, 1.5) == pytest.approx(1.5 * rate)


def test_milestones_in_disorder_are_refused() -> None:
    with pytest.raises(ValueError, match="from the first to the last"):
        Schedule(milestones=(20, 10))
