"""Cells against cases worked by hand."""

from dataclasses import replace

import pytest

from experiments.schema.table import Row, Table
from reproduce.execution.outcome import Outcome
from reproduce.planning.overrides import Overrides
from reproduce.planning.requested_run import RequestedRun, requested_runs
from reproduce.tables.cells import FAILED, MEASURED, NOT_RUN, REPORTED, measure, relative
from tests.reproduce.fakes import ACCURACY, GROUP, PARAMETERS, STUDENT, TEACHER, a_student, row, table

GIVEN = row("Elsewhere", None, MP=20.0, mAP=70.0)
UNTRAINED = row("Never", lambda scale, seed: a_student(scale, seed + 100), MP=5.0)
TABLE = table(TEACHER, STUDENT, UNTRAINED, GIVEN)
SEEDS = [0, 1, 2]


def wanted(found: Table = TABLE, seeds: list[int] = SEEDS) -> list[RequestedRun]:
    return requested_runs(found, "mini", seeds, Overrides())


def outcomes(teacher: list[float], student: list[float], parameters: float = 12e6) -> dict[str, Outcome]:
    """Finished runs with these accuracies, one per seed, as fractions."""
    found = {}
    for requested in wanted():
        values = {"Teacher": teacher, "Student": student}.get(requested.label, [])
        if requested.recipe.seed < len(values):
            metrics = {
                "camera_rule/mAP": values[requested.recipe.seed],
                "parameters": 48e6 if requested.label == "Teacher" else parameters,
            }
            found[requested.recipe.run_id] = Outcome(state="finished", metrics=metrics)
    return found


def key(label: str, column: str) -> tuple[str, str, str]:
    return (label, GROUP.title, column)


def test_a_cell_is_mean_sample_deviation_and_gap() -> None:
    cells = measure(TABLE, wanted(), outcomes([0.70, 0.74, 0.78], [0.71]))
    teacher = cells[key("Teacher", "mAP")]
    assert teacher.mean == pytest.approx(74.0)
    assert teacher.deviation == pytest.approx(4.0)  # sqrt((16 + 0 + 16) / (3 - 1))
    assert teacher.gap == pytest.approx(-6.0)  # the paper's 80.0
    student = cells[key("Student", "mAP")]
    assert student.mean == pytest.approx(71.0)
    assert student.deviation is None
    assert cells[key("Student", "MP")].mean == pytest.approx(12.0)
    assert cells[key("Student", "MP")].gap == pytest.approx(2.0)


def test_a_row_that_was_never_run_is_not_filled_from_the_paper() -> None:
    cells = measure(TABLE, wanted(), {})
    for label in ("Teacher", "Student", "Never"):
        cell = cells[key(label, "MP")]
        assert (cell.state, cell.mean, cell.deviation, cell.gap) == (NOT_RUN, None, None, None)
        assert cell.paper is not None


def test_a_reported_row_has_only_the_papers_numbers() -> None:
    cell = measure(TABLE, wanted(), {})[key("Elsewhere", "MP")]
    assert (cell.state, cell.mean, cell.paper, cell.gap) == (REPORTED, None, 20.0, None)


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_a_run_that_failed_says_so(state: str) -> None:
    run_id = wanted()[0].recipe.run_id
    cells = measure(TABLE, wanted(), {run_id: Outcome(state=state, message="total nan")})
    assert cells[key("Teacher", "mAP")].state == FAILED
    assert cells[key("Student", "mAP")].state == NOT_RUN


def test_seeds_that_failed_do_not_hide_the_ones_that_did_not() -> None:
    found = outcomes([0.70, 0.74], [])
    third = next(w.recipe.run_id for w in wanted() if w.label == "Teacher" and w.recipe.seed == 2)
    found[third] = Outcome(state="failed")
    cell = measure(TABLE, wanted(), found)[key("Teacher", "mAP")]
    assert (cell.state, sorted(cell.values)) == (MEASURED, [0, 1])


def test_a_metric_that_a_run_lacks_is_not_run() -> None:
    run_id = wanted()[0].recipe.run_id
    cells = measure(TABLE, wanted(), {run_id: Outcome(state="finished", metrics={"parameters": 1e6})})
    assert cells[key("Teacher", "MP")].state == MEASURED
    assert cells[key("Teacher", "mAP")].state == NOT_RUN


def test_relative_cells_pair_the_seeds() -> None:
    cells = measure(TABLE, wanted(), outcomes([0.70, 0.74, 0.78], [0.69, 0.74, 0.79]))
    found = relative(TABLE, cells)
    share = found[key("Student", "MP")]
    assert share.values == pytest.approx({0: 25.0, 1: 25.0, 2: 25.0})
    assert share.paper == pytest.approx(25.0)  # 10 of 40
    difference = found[key("Student", "mAP")]
    assert difference.values == pytest.approx({0: -1.0, 1: 0.0, 2: 1.0})
    assert difference.paper == pytest.approx(-0.5)
    assert found[key("Teacher", "MP")].mean == pytest.approx(100.0)


def test_a_seed_without_its_teacher_has_no_relative_value() -> None:
    cells = measure(TABLE, wanted(), outcomes([0.70], [0.69, 0.74]))
    assert list(relative(TABLE, cells)[key("Student", "mAP")].values) == [0]


def test_relative_to_a_row_that_was_not_run_is_not_run() -> None:
    cells = measure(TABLE, wanted(), outcomes([], [0.69]))
    cell = relative(TABLE, cells)[key("Student", "mAP")]
    assert (cell.state, cell.mean, cell.paper) == (NOT_RUN, None, -0.5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: replace(table(TEACHER), reference="Student"), "'Student'"),
        (lambda: table(row("A", a_student, R5=3.0)), "R5"),
        (lambda: table(Row(label="A", texts=("much",), entries={})), "1 texts for 0 headings"),
        (
            lambda: table(Row(label="A", entries=STUDENT.entries, reported=True)),
            "cannot have a recipe",
        ),
    ],
)
def test_a_table_that_contradicts_itself_cannot_be_declared(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()  # type: ignore[operator]


def test_units_come_from_the_column() -> None:
    assert (PARAMETERS.factor, ACCURACY.factor) == (1e-6, 100)
