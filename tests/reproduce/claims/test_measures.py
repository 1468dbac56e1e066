"""Figures of claims come from metrics, histories, channels, answers and drawn galleries as recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdd.data.registry import load
from cdd.recipe import Recipe
from experiments.schema.claim import (
    ChannelsSaved,
    DropAtResetting,
    EarlyMean,
    Measure,
    RecoveryAfterResetting,
    SelfRetrievalRate,
)
from reproduce.claims.measures import difference, value
from reproduce.evidence.run_lookup import ClaimRun
from tests.reproduce.fakes import ACCURACY, a_student, a_teacher
from tests.reproduce.recorded import COST, IDENTITIES, MAP, OF, THAN, answers, evidence, record

MakeSides = Callable[..., tuple[ClaimRun, ClaimRun]]
COURSE = [0.1, 0.2, 0.6]
"""RGGR starts after the first of three epochs."""


@pytest.fixture
def sides(tmp_path: Path) -> MakeSides:
    """Student and teacher, recorded with these figures of the student."""

    def make(**student: Any) -> tuple[ClaimRun, ClaimRun]:
        record(tmp_path, a_teacher("mini", 0), precision=answers(0.5, 0.1), channels=[8, 4, 4, 2])
        record(tmp_path, a_student("mini", 0), precision=answers(0.6, 0.2), **student)
        known = evidence(tmp_path)
        of, than = known.of(OF, 0), known.of(THAN, 0)
        assert of and than
        return of, than

    return make


def test_an_accuracy_is_a_difference_of_queries(
    sides: MakeSides,
) -> None:
    of, than = sides()
    found = difference(MAP, of, than)
    assert found is not None and found.by_query is not None and found.identities is not None
    assert found.value == pytest.approx(10, abs=1e-4) == pytest.approx(found.by_query.mean(), abs=1e-2)
    assert found.identities.tolist() == IDENTITIES.tolist()


def test_a_cost_is_the_share_saved(sides: MakeSides) -> None:
    found = difference(COST, *sides(parameters=1e6))
    assert found is not None and (found.value, found.by_query) == (75.0, None)


@pytest.mark.parametrize(("measure", "saved"), [(ChannelsSaved(), 50.0), (ChannelsSaved(-2), 75.0)])
def test_channels_are_counted_together_or_in_one_block(
    sides: MakeSides, measure: Measure, saved: float
) -> None:
    found = difference(measure, *sides(channels=[4, 2, 1, 2]))
    assert found is not None and found.value == pytest.approx(saved)
    assert difference(measure, *sides(channels=None)) is None


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (EarlyMean(ACCURACY, 2 / 3), 15.0),
        (DropAtResetting(ACCURACY, 1 / 3), -10.0),
        (RecoveryAfterResetting(ACCURACY, 1 / 3), 40.0),
        (DropAtResetting(ACCURACY, 2 / 3), -30.0),
    ],
)
def test_a_course_is_read_by_its_epochs(sides: MakeSides, measure: Measure, expected: float) -> None:
    of, than = sides(history=COURSE)
    assert value(measure, of) == pytest.approx(expected)
    assert value(measure, than) is None


def test_a_course_with_gaps_has_no_figure(sides: MakeSides) -> None:
    of, _ = sides(history=COURSE[:1])
    assert value(EarlyMean(ACCURACY, 2 / 3), of) is None
    assert value(RecoveryAfterResetting(ACCURACY, 1 / 3), of) is None


def test_a_gallery_is_read_for_its_own_run_alone(tmp_path: Path, sides: MakeSides) -> None:
    of, than = sides()
    lines = [
        f"{of.record.run_id},{query},{rank},{query if (rank == 1) == (query < 3) else 99},1.0,{query % 2},0"
        for query in range(4)
        for rank in (1, 2)
    ]
    path = tmp_path / "figures" / "words.csv"
    path.parent.mkdir()
    path.write_text("\n".join(["run_id,query,rank,image,similarity,query_class,image_class", *lines]) + "\n")
    (path.parent / "another.csv").write_text("run,epoch\na,1\n")
    found = difference(SelfRetrievalRate(), of, None)
    assert found is not None and found.by_query is not None and found.identities is not None
    assert (found.value, found.by_query.tolist()) == (75.0, [100, 100, 100, 0])
    assert found.identities.tolist() == [0, 1, 0, 1]
    assert difference(SelfRetrievalRate(), than, None) is None


def test_identities_of_embedded_data_are_asked_of_the_data_and_nothing_is_written(tmp_path: Path) -> None:
    recipe = a_teacher("mini", 0)
    path = record(tmp_path, recipe, precision=answers(0.5, 0.1), digest=_digest(recipe))
    for written in (tmp_path / "queries").iterdir():
        written.unlink()
    known = evidence(tmp_path).of(THAN, 0)
    assert known is not None and known.identities is not None and known.path == path
    assert not list((tmp_path / "queries").iterdir())
    assert len(np.unique(known.identities)) == 199


def test_identities_of_other_data_than_ours_are_unknown(tmp_path: Path) -> None:
    recipe = a_teacher("mini", 0)
    record(tmp_path, recipe, precision=answers(0.5, 0.1), digest="of another copy")
    for written in (tmp_path / "queries").iterdir():
        written.unlink()
    known = evidence(tmp_path).of(THAN, 0)
    assert known is not None and known.identities is None


def _digest(recipe: Recipe) -> str:

    return load(recipe.data).digest
