"""`compare`: which runs it finds, and what differs between them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.registry import Summary
from experiments.schema.table import Table
from reproduce.evidence.comparison import differing_fields
from reproduce.pipeline.drawer import RenderedArtifact
from tests.reproduce.fakes import a_student, a_teacher, accuracy
from tests.reproduce.said import Said
from tests.small import student_recipe

TEACHER, STUDENT = a_teacher("mini", 0), a_student("mini", 0)


@pytest.fixture
def compare(
    run: Callable[..., list[RenderedArtifact]],
    results: Path,
    tables: dict[str, Table],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Said]:
    """The verb where a teacher and its student have finished."""
    monkeypatch.setattr("experiments.registry.summaries", lambda: [Summary(name, "", "") for name in tables])
    run()
    return lambda *words: Said("compare", *words, "--results", results)


@pytest.mark.parametrize("name", [STUDENT.run_id, STUDENT.run_id[:5], "tiny:Student", "student"])
def test_a_run_is_found_by_id_prefix_and_row(compare: Callable[..., Said], name: str) -> None:
    found = compare("tiny:Teacher", name, "--format", "json").json
    assert [run["run_id"] for run in found["runs"]] == [TEACHER.run_id, STUDENT.run_id]
    wanted = [accuracy(TEACHER), accuracy(STUDENT)]
    assert found["metrics"]["camera_rule/mAP"] == pytest.approx(wanted, rel=1e-4)


def test_metrics_stand_beside_their_difference(compare: Callable[..., Said]) -> None:
    first, second = (round(100 * accuracy(recipe), 2) for recipe in (TEACHER, STUDENT))
    (line,) = (line for line in compare("Teacher", "Student").out.splitlines() if "mAP (%)" in line)
    numbers = [float(word.replace("\u2212", "-")) for word in line.replace("│", " ").split()[2:]]
    assert numbers == pytest.approx([first, second, second - first], abs=0.011)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Teacher"], "name a second run"),
        (["Teacher", "Studnet"], "Nearest: Student"),
        (["Teacher", "tiny:Studnet"], "Nearest: tiny:Student"),
        (["Teacher", "tny:Student"], "unknown artifact 'tny': did you mean tiny"),
        (["Teacher", "reference:Student"], "no run"),
    ],
)
def test_what_is_not_found_is_answered_with_what_is_near(
    compare: Callable[..., Said], words: list[str], message: str
) -> None:
    said = compare(*words)
    assert said.code == 2
    assert message in said.err


def test_a_recipe_differs_from_itself_in_nothing() -> None:
    assert differing_fields([STUDENT.to_json(), STUDENT.to_json()]) == {}


def test_fields_that_differ_are_named_by_their_path() -> None:
    schedule = STUDENT.schedule.model_copy(update={"epochs": 9})
    other = STUDENT.model_copy(update={"seed": 7, "schedule": schedule})
    found = differing_fields([STUDENT.to_json(), other.to_json()])
    assert found == {"schedule.epochs": (str(STUDENT.schedule.epochs), "9"), "seed": ("0", "7")}


def test_a_whole_run_and_a_method_are_told_in_a_word() -> None:
    found = differing_fields([TEACHER.to_json(), STUDENT.to_json()])
    assert found["teacher"] == ("-", f"run {TEACHER.run_id}")
    assert found["method"] == tuple(type(recipe.method).__name__ for recipe in (TEACHER, STUDENT))


def test_settings_that_one_lacks_are_told_field_by_field() -> None:
    values = student_recipe().to_json()
    method = {"method": "module:Class", "resetting": {"neighbours": 2}}
    with_it = {**values, "method": method}
    without = {**values, "method": {**method, "resetting": None}}
    assert differing_fields([with_it, without]) == {"method.resetting.neighbours": ("2", "-")}
