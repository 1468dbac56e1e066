"""The ambiguity study: every choice is the default but for the field that it names."""

from pathlib import Path
from typing import Any

import pytest

from cdd.contract import CODE, PAPER, Fidelity
from cdd.recipe import Recipe
from experiments.analysis.ambiguity import FIGURE
from experiments.registry import find
from experiments.schema.figure import Variant
from experiments.schema.scale import SCALES, Scale

DIFFERENCES = Path(__file__).parents[2] / "DIFFERENCES.md"
RUN = [choice for choice in FIGURE.curves if choice.epoch == "last"]
OF_FIDELITY = {
    choice.setting.removeprefix("fidelity."): choice
    for choice in RUN
    if choice.setting.startswith("fidelity.")
}


def flat(values: Any, name: str = "") -> dict[str, Any]:
    """Plain values by dotted name."""
    if not isinstance(values, dict):
        return {name: values}
    found: dict[str, Any] = {}
    for key, inner in values.items():
        found |= flat(inner, f"{name}.{key}".removeprefix("."))
    return found


def switched(choice: Variant, scale: Scale = "mini") -> dict[str, Any]:
    """Fields in which the choice's run differs from the default's, with its values."""
    default = flat(FIGURE.default.recipe(scale, 0).to_json())
    mine = flat(choice.recipe(scale, 0).to_json())
    assert mine.keys() == default.keys()
    return {name: value for name, value in mine.items() if value != default[name]}


def rows_of_differences() -> dict[str, str]:
    lines = [line.split("|") for line in DIFFERENCES.read_text().splitlines() if line.startswith("| ")]
    return {cells[1].strip(): "|".join(cells[2:]) for cells in lines}


def test_the_default_is_the_row_of_table_1() -> None:
    (row,) = (
        recipe
        for label, group, recipe in find("table1").recipes("mini", 0)
        if (label, group) == (FIGURE.default.label, FIGURE.group.title)
    )
    assert FIGURE.default.recipe("mini", 0) == row
    assert row.fidelity == CODE


@pytest.mark.parametrize("choice", FIGURE.curves, ids=lambda choice: choice.label)
@pytest.mark.parametrize("scale", ["mini", "bench"])
def test_a_choice_differs_in_the_field_that_it_names_alone(choice: Variant, scale: Scale) -> None:
    found = switched(choice, scale)
    if choice.setting == "fidelity":
        assert len(found) == len(Fidelity.model_fields)
        assert all(name.startswith("fidelity.") for name in found)
    else:
        assert list(found) == ([] if choice.epoch == "best" else [choice.setting])


def test_at_the_papers_scale_only_the_step_of_the_learning_rate_is_no_switch() -> None:
    assert [choice.setting for choice in RUN if not switched(choice, "paper")] == ["schedule.step"]


def test_teacher_and_pretraining_are_the_same_runs_throughout() -> None:
    for scale in SCALES:
        recipes: list[Recipe] = [recipe for _, _, recipe in FIGURE.recipes(scale, 1)]
        assert len({tuple(before.run_id for before in recipe.dependencies) for recipe in recipes}) == 1


def test_every_field_of_fidelity_is_switched_to_the_text_alone_and_with_all_others() -> None:
    assert set(OF_FIDELITY) == set(Fidelity.model_fields)
    for name, choice in OF_FIDELITY.items():
        assert getattr(choice.recipe("mini", 0).fidelity, name) == getattr(PAPER, name)
    (together,) = (choice for choice in RUN if choice.setting == "fidelity")
    assert together.recipe("mini", 0).fidelity == PAPER


@pytest.mark.parametrize("choice", FIGURE.curves, ids=lambda choice: choice.label)
def test_the_list_of_differences_has_the_point_with_its_field(choice: Variant) -> None:
    known = rows_of_differences()
    numbers = [f"A{n}" for n in range(1, 7)] if choice.setting == "fidelity" else [choice.number]
    for number in numbers:
        assert number in known
        field = choice.setting.removeprefix("fidelity.")
        assert field in ("-", "fidelity") or f"`{field}`" in known[number]
