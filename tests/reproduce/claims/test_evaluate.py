"""Verdicts follow from intervals, sizes and margins, and from nothing that was not measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.schema.claim import ChannelsSaved, Claim, Comparison, FinalMetric, QuotedNumber, RunRef
from experiments.schema.table import Row
from reproduce.claims.evaluate import evaluate_claims, judged_rows
from reproduce.evidence.run_lookup import RunLookup
from reproduce.planning.overrides import parse
from reproduce.statistics.claim_verdict import ONE_SEED, ClaimVerdict
from reproduce.statistics.verdicts import CONTRADICTED, DIRECTION, INCONCLUSIVE, NOT_TESTED, REPRODUCED
from tests.reproduce.fakes import STUDENT, TEACHER, a_student, a_teacher, row, table
from tests.reproduce.recorded import COST, MAP, OF, THAN, claim, evidence, pair_of_records, record

MARGINS = ("no less", "same")


def judge(folder: Path, *claims: Claim, seeds: range = range(5)) -> ClaimVerdict:
    """The first of these claims, judged together."""
    return evaluate_claims(claims, evidence(folder), seeds)[0]


@pytest.mark.parametrize(
    ("advantages", "size", "verdict"),
    [
        ([0.020, 0.021, 0.019], 2.0, REPRODUCED),
        ([0.020, 0.021, 0.019], None, REPRODUCED),
        ([0.020, 0.021, 0.019], 9.0, DIRECTION),
        ([0.020, 0.021, 0.019], 0.5, DIRECTION),
        ([0.001, -0.001, 0.002], 2.0, INCONCLUSIVE),
        ([-0.020, -0.021, -0.019], 2.0, CONTRADICTED),
        ([0.0, 0.0, 0.0], 2.0, CONTRADICTED),
    ],
)
def test_direction_and_size_decide(
    tmp_path: Path, advantages: list[float], size: float | None, verdict: str
) -> None:
    for seed, advantage in enumerate(advantages):
        pair_of_records(tmp_path, seed, advantage)
    (found,) = evaluate_claims([claim(size=size)], _without_figures(tmp_path), range(5))
    assert found.verdict == verdict
    assert found.interval is not None and found.interval.seeds == 3
    assert found.interval.mean == pytest.approx(100 * np.mean(advantages), abs=0.02)


def _without_figures(folder: Path) -> RunLookup:
    """The same runs behind rows for which the paper prints nothing."""

    def bare(of: Row) -> Row:
        return replace(of, entries={title: replace(entry, paper={}) for title, entry in of.entries.items()})

    return RunLookup(folder, "mini", {"tiny": table(bare(TEACHER), bare(STUDENT))})


@pytest.mark.parametrize(
    ("relation", "advantage", "verdict"),
    [
        ("no less", 0.0, REPRODUCED),
        ("no less", 0.05, REPRODUCED),
        ("no less", -0.005, INCONCLUSIVE),
        ("no less", -0.02, CONTRADICTED),
        ("same", 0.0, REPRODUCED),
        ("same", 0.005, INCONCLUSIVE),
        ("same", 0.02, CONTRADICTED),
        ("same", -0.02, CONTRADICTED),
    ],
)
def test_a_margin_decides_where_nothing_may_be_lost(
    tmp_path: Path, relation: str, advantage: float, verdict: str
) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, advantage, 0.01)
    assert judge(tmp_path, claim(relation=relation, margin=0.5)).verdict == verdict


def test_swapped_runs_contradict_what_was_reproduced(tmp_path: Path) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.03 + seed / 1000, 0.02)
    found, swapped = (
        judge(tmp_path, claim(size=3.0)),
        judge(tmp_path, claim(size=3.0, pairs=(Comparison(THAN, OF),))),
    )
    assert (found.verdict, swapped.verdict) == (REPRODUCED, CONTRADICTED)
    assert found.interval is not None and swapped.interval is not None
    assert found.interval.low == pytest.approx(-swapped.interval.high, abs=1e-9)


def test_queries_that_differ_widely_make_a_difference_unclear(tmp_path: Path) -> None:
    pair_of_records(tmp_path, 0, 0.03, 0.35)
    found = judge(tmp_path, claim(size=3.0))
    assert found.verdict == INCONCLUSIVE and found.certainty == "queries of 1 seed only"
    assert found.interval is not None and found.interval.identities == 30
    assert found.interval.low < 0 < found.interval.high


def test_one_seed_borrows_the_spread_of_runs_that_have_several(tmp_path: Path) -> None:
    pair_of_records(tmp_path, 0, 0.02, 0.01)
    alone = judge(tmp_path, claim(size=2.0))
    assert (alone.verdict, alone.certainty) == (INCONCLUSIVE, "queries of 1 seed only")
    assert (alone.reason, alone.more_seeds) == (ONE_SEED, 1)
    assert alone.command == "python -m reproduce tiny --scale mini --seeds 0,1"
    for seed, level in ((1, 0.4), (2, 0.6)):  # teachers without students
        record(tmp_path, a_teacher("mini", seed), precision=[level] * 120)
    found = judge(tmp_path, claim(size=2.0))
    assert (found.verdict, found.certainty) == (INCONCLUSIVE, "queries; 1 seed, spread of other runs")
    assert found.interval is not None and found.interval.pooled_from_other_runs
    assert found.interval.spread is not None
    assert found.interval.spread.deviation == pytest.approx(10 * np.sqrt(2), rel=0.01)
    assert found.more_seeds is not None and found.more_seeds > 10 and not found.command


def test_seeds_that_would_decide_are_named_with_their_command(tmp_path: Path) -> None:
    for seed, advantage in enumerate((0.02, 0.03, 0.005)):
        pair_of_records(tmp_path, seed, advantage)
    found = judge(tmp_path, claim(size=2.0))
    assert (found.verdict, found.more_seeds) == (INCONCLUSIVE, 1)
    assert found.command == "python -m reproduce tiny --scale mini --seeds 0,1,2,3"


def test_only_seeds_that_both_runs_have_are_compared(tmp_path: Path) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.02)
    record(tmp_path, a_student("mini", 4), precision=[0.1] * 120)
    found = judge(tmp_path, claim(size=2.0))
    assert found.interval is not None and found.interval.seeds == 3
    assert found.interval.mean == pytest.approx(2.0, abs=0.02)
    two = judge(tmp_path, claim(size=2.0), seeds=range(1, 3))
    assert two.interval is not None and two.interval.seeds == 2


@pytest.mark.parametrize("advantage", [-0.3, -0.05, 0.0, 0.02, 0.05, 0.3])
@pytest.mark.parametrize("fields", [{"size": 5.0}, {}, *({"relation": r, "margin": 0.5} for r in MARGINS)])
def test_one_seed_decides_nothing(tmp_path: Path, advantage: float, fields: dict[str, Any]) -> None:
    pair_of_records(tmp_path, 0, advantage, 0.01)
    assert judge(tmp_path, claim(**fields)).verdict == INCONCLUSIVE
    assert judge(tmp_path, claim(**fields, pairs=(Comparison(THAN, OF),))).verdict == INCONCLUSIVE


@pytest.mark.parametrize("pruned", ["student", "teacher", "neither"])
def test_one_seed_decides_costs_where_neither_network_is_pruned(tmp_path: Path, pruned: str) -> None:
    record(tmp_path, a_student("mini", 0), parameters=1e6, channels=[4] if pruned == "student" else None)
    record(tmp_path, a_teacher("mini", 0), parameters=4e6, channels=[4] if pruned == "teacher" else None)
    found = judge(tmp_path, claim(COST, size=75.0))
    assert found.verdict == (REPRODUCED if pruned == "neither" else INCONCLUSIVE)
    channels = judge(tmp_path, claim(ChannelsSaved(), size=75.0))
    assert channels.verdict in (INCONCLUSIVE, NOT_TESTED)


def test_rows_are_judged_by_the_claims_that_compare_them(
    tmp_path: Path, tables: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.02)
    elsewhere = claim(name="elsewhere", pairs=(Comparison(RunRef("table9", "A", "Shelf")),))
    monkeypatch.setattr("experiments.registry.claims", lambda: (elsewhere, claim(size=2.0)))
    (found,) = judged_rows("tiny", evidence(tmp_path))
    assert found == judge(tmp_path, claim(size=2.0))
    assert judged_rows("another", evidence(tmp_path)) == ()
    (changed,) = judged_rows("tiny", evidence(tmp_path, parse(["schedule.epochs=1"])))
    assert (changed.verdict, changed.reason) == (NOT_TESTED, "not run: Student, Teacher")
    assert changed.command == "python -m reproduce tiny --scale mini --set schedule.epochs=1"


@pytest.mark.parametrize(
    ("parameters", "size", "verdict"),
    [(3e6, 25.0, REPRODUCED), (3e6, 27.0, REPRODUCED), (3e6, 30.0, DIRECTION), (5e6, 25.0, CONTRADICTED)],
)
def test_a_count_is_compared_by_the_share_that_is_saved(
    tmp_path: Path, parameters: float, size: float, verdict: str
) -> None:
    pair_of_records(tmp_path, 0, 0.0, parameters=parameters)
    found = judge(tmp_path, claim(COST, size=size))
    assert (found.verdict, found.certainty) == (verdict, "a count of 1 seed")
    assert found.interval is not None
    assert found.interval.mean == pytest.approx(100 * (1 - parameters / 4e6))


def test_a_pruned_networks_count_borrows_the_relative_spread_of_others(tmp_path: Path) -> None:
    pair_of_records(tmp_path, 0, 0.0, parameters=3e6, channels=[1])
    for seed, factor in ((1, 0.9), (2, 1 / 0.9)):  # students without teachers
        record(tmp_path, a_student("mini", seed), parameters=3e6 * factor, channels=[1])
    found = judge(tmp_path, claim(COST, size=25.0))
    assert found.certainty == "1 seed, spread of other runs"
    assert found.interval is not None and found.interval.spread is not None
    assert found.interval.spread.deviation == pytest.approx(75 * np.log(1 / 0.9), rel=1e-4)


def test_every_pair_must_hold_and_the_weakest_is_shown(tmp_path: Path) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.02)
    found = judge(tmp_path, claim(size=2.0, pairs=(Comparison(OF, THAN), Comparison(THAN, OF))))
    assert (found.verdict, found.holding) == (CONTRADICTED, 1)
    assert found.weakest is not None and found.weakest.pair == Comparison(THAN, OF)
    assert found.as_plain()["weakest_pair"] == "Teacher to Student"


def test_a_missing_run_leaves_a_claim_untested_unless_another_pair_contradicts_it(tmp_path: Path) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.02)
    third = table(TEACHER, STUDENT, row("Other", lambda scale, seed: a_student(scale, seed + 100)))
    known = RunLookup(tmp_path, "mini", {"tiny": third})
    other = Comparison(OF, RunRef("tiny", "Other", "Shelf"))
    lacking, contradicted = evaluate_claims(
        [claim(pairs=(Comparison(OF, THAN), other)), claim(pairs=(Comparison(THAN, OF), other))],
        known,
        range(3),
    )
    assert (lacking.verdict, lacking.reason) == (NOT_TESTED, "not run: Other")
    assert lacking.command == "python -m reproduce tiny --scale mini"
    assert contradicted.verdict == CONTRADICTED and not contradicted.reason


def test_nothing_is_judged_without_a_run(tmp_path: Path) -> None:
    found = judge(tmp_path, claim())
    assert (found.verdict, found.reason) == (NOT_TESTED, "not run: Student, Teacher")
    assert found.interval is None and found.as_plain()["ours"] is None


def test_figures_that_the_paper_copied_cannot_be_tested(tmp_path: Path) -> None:
    cited = table(TEACHER, STUDENT, row("Cited", None, mAP=70.0))
    pairs = (Comparison(OF, RunRef("tiny", "Cited", "Shelf")),)
    (found,) = evaluate_claims([claim(pairs=pairs)], RunLookup(tmp_path, "mini", {"tiny": cited}), range(3))
    assert found.verdict == NOT_TESTED and "copied the figures of Cited" in found.reason
    assert (found.size, found.command) == (9.5, "")


def test_a_claim_that_nothing_can_test_says_why(tmp_path: Path) -> None:
    found = judge(tmp_path, claim(None, pairs=(), untestable="nobody says what is compared"))
    assert (found.verdict, found.reason) == (NOT_TESTED, "nobody says what is compared")


def test_runs_on_different_data_are_not_compared(tmp_path: Path) -> None:
    pair_of_records(tmp_path, 0, 0.02, digest="another")
    found = judge(tmp_path, claim())
    assert (found.verdict, found.reason) == (NOT_TESTED, "the runs were judged on different data")


def test_a_row_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tiny has no run 'Nobody'"):
        judge(tmp_path, claim(pairs=(Comparison(RunRef("tiny", "Nobody", "Shelf"), THAN),)))


def test_the_teacher_of_a_row_is_found_by_its_role(tmp_path: Path) -> None:
    for seed in range(3):
        pair_of_records(tmp_path, seed, 0.02)
    by_role = claim(size=2.0, pairs=(Comparison(OF, replace(OF, role="teacher")),))
    assert judge(tmp_path, by_role).interval == judge(tmp_path, claim(size=2.0)).interval


@pytest.mark.parametrize(
    ("printed", "measure", "contradicts"),
    [(-0.5, MAP, False), (-0.54, MAP, False), (-1.0, MAP, True), (75.0, COST, False), (60.0, COST, True)],
)
def test_a_text_that_differs_from_its_table_is_shown(
    tmp_path: Path, printed: float, measure: FinalMetric, contradicts: bool
) -> None:
    told = QuotedNumber(f"{printed} somehow", printed, "Section 9")
    found = judge(tmp_path, claim(measure, printed=(told,)))
    assert found.size == (75.0 if measure is COST else -0.5)
    assert bool(found.contradictions) == contradicts
    assert all(f"Section 9 prints {printed} somehow" in text for text in found.contradictions)


def test_everything_is_plain(tmp_path: Path) -> None:
    pair_of_records(tmp_path, 0, 0.02)
    values = json.loads(json.dumps(judge(tmp_path, claim(size=2.0)).as_plain()))
    assert values["ours"] == pytest.approx(2.0, abs=0.02)
    assert values["low"] <= values["ours"] <= values["high"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"pairs": ()}, "names no measure or no runs"),
        ({"relation": "same"}, "margin of 0"),
        ({"margin": 1.0}, "'more'"),
    ],
)
def test_an_incomplete_claim_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        claim(**fields)
