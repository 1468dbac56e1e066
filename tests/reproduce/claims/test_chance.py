"""Runs that have not learned more than random embeddings know are no evidence, and the reason is shown."""

from pathlib import Path

import pytest

from cdd.data.registry import load
from experiments.schema.claim import FinalMetric
from reproduce.claims.evaluate import evaluate_claims
from reproduce.statistics.verdicts import NOT_TESTED, REPRODUCED
from reproduce.storage.query_results import read_chance
from tests.reproduce.fakes import a_student, a_teacher
from tests.reproduce.recorded import COST, MAP, THAN, answers, claim, evidence, record


@pytest.mark.parametrize(("chance", "verdict"), [(0.01, REPRODUCED), (0.49, NOT_TESTED), (0.7, NOT_TESTED)])
@pytest.mark.parametrize("measure", [MAP, COST], ids=["accuracy", "cost"])
@pytest.mark.parametrize("by_query", [True, False])
def test_a_run_near_chance_is_evidence_of_nothing(
    tmp_path: Path, chance: float, verdict: str, measure: FinalMetric, by_query: bool
) -> None:
    for seed in range(3):
        better = answers(0.52, 0.0001, seed) if by_query else None
        record(tmp_path, a_teacher("mini", seed), precision=answers(0.5, 0.0001, seed), chance=chance)
        record(tmp_path, a_student("mini", seed), precision=better, parameters=1e6, chance=chance)
    (found,) = evaluate_claims([claim(measure, relation="no less", margin=1.0)], evidence(tmp_path))
    assert found.verdict == verdict
    if verdict == NOT_TESTED:
        assert "Teacher is near chance: mAP 50.00 %" in found.reason
        assert f"random embeddings give {100 * chance:.2f} %" in found.reason
        assert not found.command


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("level", [0.020, 0.036], ids=["random weights", "one epoch"])
def test_a_few_steps_are_near_chance(tmp_path: Path, seeds: int, level: float) -> None:
    for seed in range(seeds):
        record(tmp_path, a_teacher("mini", seed), precision=answers(level, 0.01, seed), chance=0.0064)
        record(tmp_path, a_student("mini", seed), precision=answers(level + 0.001, 0.01, seed), chance=0.0064)
    (found,) = evaluate_claims([claim(relation="no less", margin=0.5)], evidence(tmp_path))
    assert found.verdict == NOT_TESTED and "Student is near chance" in found.reason


def test_without_chance_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    for seed in range(2):
        record(tmp_path, a_teacher("mini", seed), precision=answers(0.02, 0.001, seed))
        record(tmp_path, a_student("mini", seed), precision=answers(0.02, 0.001, seed))
    (found,) = evaluate_claims([claim(relation="no less", margin=0.5)], evidence(tmp_path))
    assert found.verdict == REPRODUCED


def test_chance_of_embedded_data_is_asked_of_the_data_and_nothing_is_written(tmp_path: Path) -> None:

    recipe = a_teacher("mini", 0)
    record(tmp_path, recipe, precision=answers(0.5, 0.1), digest=load(recipe.data).digest)
    run = evidence(tmp_path).of(THAN, 0)
    assert run is not None and run.chance is not None
    assert run.chance.mean() == pytest.approx(0.00635, abs=1e-5)
    assert read_chance(tmp_path, recipe.data, run.digest) is None
