"""Differences that the spread over seeds explains are marked, and only they."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reproduce.cells import Cell
from reproduce.execute import Outcome
from reproduce.material import Material
from reproduce.overrides import parse
from reproduce.paired_bootstrap import Spread
from reproduce.plan import Wish, wishes
from reproduce.seed_noise import MARK, NOTE, is_noise, recorded_spreads
from reproduce.session import Session
from reproduce.table import draw
from reproduce.table_text import latex, markdown
from reproduce.workspace import Workspace
from tests.reproduce.fakes import ACCURACY, PARAMETERS, a_student, a_teacher
from tests.reproduce.recorded import TINY, record

SPREAD = Spread(0.01, 4)
"""Of a fraction, so one point of a column in percent."""


@pytest.mark.parametrize(
    ("values", "spread", "noise"),
    [
        ({0: 1.0, 1: -1.0, 2: 0.5}, None, True),
        ({0: 1.0, 1: 1.1, 2: 0.9}, None, False),
        ({0: 1.0, 1: 1.1, 2: 0.9}, Spread(1.0, 9), False),
        ({0: 2.0}, None, False),
        ({0: 2.0}, SPREAD, True),
        ({0: -2.0}, SPREAD, True),
        ({0: 4.0}, SPREAD, False),
        ({0: 0.0, 1: 0.0}, None, False),
        ({}, SPREAD, False),
    ],
)
def test_an_interval_that_holds_zero_is_noise(
    values: dict[int, float], spread: Spread | None, noise: bool
) -> None:
    assert is_noise(Cell(values), ACCURACY, spread) == noise


def test_a_share_is_never_marked() -> None:
    assert not is_noise(Cell({0: 1.0, 1: -1.0}), PARAMETERS, SPREAD)


def test_spreads_are_pooled_over_rows_that_have_several_seeds(tmp_path: Path) -> None:
    for seed, level in ((0, 0.4), (1, 0.6)):
        record(tmp_path, a_teacher("mini", seed), precision=[level] * 120)
    record(tmp_path, a_student("mini", 0), precision=[0.9] * 120)
    wanted = [
        Wish("tiny", label, "Shelf", make("mini", seed))
        for label, make in (("Teacher", a_teacher), ("Student", a_student))
        for seed in range(4)
    ]
    found = recorded_spreads(wanted, tmp_path)
    assert found["camera_rule/mAP"].freedom == 1
    assert found["camera_rule/mAP"].deviation == pytest.approx(0.2 / np.sqrt(2))
    assert recorded_spreads(wanted[4:], tmp_path) == {}


def test_a_marked_table_says_what_the_mark_means() -> None:
    wanted = wishes(TINY, "mini", [0], parse([]))
    outcomes = {
        wish.recipe.run_id: Outcome(state="finished", metrics={"camera_rule/mAP": value})
        for wish, value in zip(wanted, (0.50, 0.51), strict=True)
    }
    known = Material(scale="mini", wishes=wanted, outcomes=outcomes)
    without, marked = draw(TINY, known), draw(TINY, replace(known, noise={"camera_rule/mAP": SPREAD}))
    assert MARK not in markdown(without) and NOTE not in without.notes
    assert f"+1.0{MARK}" in markdown(marked) and marked.notes[-1] == NOTE
    assert r"+1.0\dag{}" in latex(marked)


def test_a_command_marks_by_the_records_of_other_seeds(
    run: Callable[..., object], session: Callable[..., Session], workspace: Workspace
) -> None:
    run(seeds=[0, 1, 2])
    (drawn,) = session(seeds=[0]).show()
    assert str(drawn.sheet.blocks[1].frame.iloc[0, 1]).endswith(MARK)
