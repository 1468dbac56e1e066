"""Differences that may be none are marked, by the statistic that claims are judged with, and only they."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.evidence import Evidence
from reproduce.execute import Outcome
from reproduce.judgement import judged
from reproduce.material import Material
from reproduce.noise import MARK, NOTE, within_noise
from reproduce.overrides import parse
from reproduce.plan import wishes
from reproduce.session import Session
from reproduce.table import draw
from reproduce.table_text import latex, markdown
from reproduce.verdicts import INCONCLUSIVE
from tests.reproduce.fakes import a_teacher
from tests.reproduce.recorded import TINY, claim, evidence, pair_of_records, record

CELL = ("Student", "Shelf", "mAP")


def marked(folder: Path) -> bool:
    found = within_noise(TINY, wishes(TINY, "mini", list(range(5)), parse([])), Evidence(folder, "mini", {}))
    assert found <= {CELL}
    return CELL in found


@pytest.mark.parametrize(
    ("advantages", "deviation", "noise"),
    [
        ([0.010, -0.010, 0.005], 0.01, True),
        ([0.010, 0.011, 0.009], 0.01, False),
        ([0.010, 0.011, 0.009], 0.50, True),  # seeds alone would call this certain
        ([-0.020], 0.01, False),
        ([0.001], 0.50, True),
        ([], 0.0, False),
    ],
)
def test_an_interval_that_holds_zero_is_noise_and_so_is_the_claim(
    tmp_path: Path, advantages: list[float], deviation: float, noise: bool
) -> None:
    for seed, advantage in enumerate(advantages):
        pair_of_records(tmp_path, seed, advantage, deviation)
    assert marked(tmp_path) == noise
    (found,) = judged([claim()], evidence(tmp_path))
    if len(advantages) > 1:
        assert (found.verdict == INCONCLUSIVE) == noise


def test_a_row_of_one_seed_borrows_the_spread_of_others(tmp_path: Path) -> None:
    pair_of_records(tmp_path, 0, 0.02, 0.01)
    assert not marked(tmp_path)
    for seed, level in ((1, 0.4), (2, 0.6)):  # teachers without students
        record(tmp_path, a_teacher("mini", seed), precision=[level] * 120)
    assert marked(tmp_path)


def test_a_marked_table_says_what_the_mark_means() -> None:
    wanted = wishes(TINY, "mini", [0], parse([]))
    outcomes = {
        wish.recipe.run_id: Outcome(state="finished", metrics={"camera_rule/mAP": value})
        for wish, value in zip(wanted, (0.50, 0.51), strict=True)
    }
    known = Material(scale="mini", wishes=wanted, outcomes=outcomes)
    without, marked = draw(TINY, known), draw(TINY, replace(known, within_noise=frozenset({CELL})))
    assert MARK not in markdown(without) and NOTE not in without.notes
    assert f"+1.0{MARK}" in markdown(marked) and marked.notes[-1] == NOTE
    assert r"+1.0\dag{}" in latex(marked)


def test_a_command_marks_by_the_records_of_other_seeds(
    run: Callable[..., object], session: Callable[..., Session]
) -> None:
    run(seeds=[0, 1, 2])
    (drawn,) = session(seeds=[0]).show()
    assert str(drawn.sheet.blocks[1].frame.iloc[0, 1]).endswith(MARK)
