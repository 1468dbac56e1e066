"""Every declared artifact: possible at all scales, and the paper's numbers as the paper prints them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cdd.contract import Settings
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.supervised import Supervised
from cdd.recipe import Batch, Recipe
from experiments.common import recipes, settings
from experiments.registry import find, summaries
from experiments.schema.figure import Artifact
from experiments.schema.scale import SCALES, Scale
from experiments.schema.table import Table
from reproduce.errors import UsageError
from tests.small import student_recipe, teacher_recipe

NAMES = [summary.name for summary in summaries()]
EMBEDDED_SCALES: tuple[Scale, ...] = ("mini", "bench")

# Xie et al., CVPR 2023, Table 1: MP (M), FLOPs (G), mAP (%), R1 (%); first In-Shop, then VeRi-776.
PAPER_TABLE_1 = {
    "Teacher": ((43.50, 12.99, 81.72, 95.23), (43.50, 12.99, 80.50, 96.42)),
    "CDD w/o DGC": ((35.89, 10.94, 71.87, 90.45), (39.80, 11.96, 62.14, 93.27)),
    "CDD": ((20.14, 6.31, 81.38, 95.01), (18.59, 5.77, 80.36, 96.48)),
    "CDD+RGGR": ((14.97, 4.68, 81.28, 95.14), (14.30, 4.46, 80.67, 96.66)),
}


def everywhere(artifact: Artifact) -> list[Recipe]:
    """Every recipe of the artifact at every scale for two seeds."""
    return [recipe for scale in SCALES for seed in (0, 1) for _, _, recipe in artifact.recipes(scale, seed)]


def find_table(name: str) -> Table:
    found = find(name)
    assert isinstance(found, Table)
    return found


def chain(recipe: Recipe) -> list[Recipe]:
    return [recipe, *(link for before in recipe.dependencies for link in chain(before))]


def rebuilt(settings: Any, order: Callable[[list[str]], list[str]], *, defaults: bool) -> Any:
    """The same settings made again, field by field in another order, with or without their defaults."""
    if not isinstance(settings, Settings):
        return settings
    fields = type(settings).model_fields
    values = {
        name: rebuilt(getattr(settings, name), order, defaults=defaults)
        for name in order(list(fields))
        if defaults or fields[name].is_required() or getattr(settings, name) != fields[name].default
    }
    return type(settings)(**values)


def test_the_list_is_the_modules_that_declare_an_artifact() -> None:
    assert {"table1", "table2", "table3", "table4", "figure1"} <= set(NAMES)
    assert not {"recipes", "__init__"} & set(NAMES)
    for summary in summaries():
        table = find(summary.name)
        assert (summary.title, summary.source) == (table.title, table.source)


@pytest.mark.parametrize("wrong", ["tabel1", "Table1", "t1", "recipes", ""])
def test_an_unknown_artifact_is_answered_with_names_that_exist(wrong: str) -> None:
    with pytest.raises(UsageError, match=rf"unknown artifact '{wrong}': did you mean .*table1"):
        find(wrong)


def test_a_module_whose_table_has_another_name_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.paper.table1.TABLE", replace(find_table("table1"), name="table2"))
    with pytest.raises(ValueError, match=r"experiments/paper/table1.py must declare"):
        find("table1")


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_possible_at_every_scale(name: str) -> None:
    # A copy with changed fields is not checked when it is made; what is read back is.
    for recipe in everywhere(find(name)):
        assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize("name", NAMES)
def test_every_row_says_something(name: str) -> None:
    table = find(name)
    if not isinstance(table, Table):
        pytest.skip("a figure has curves")
    titles = {group.title for group in table.groups}
    for row in table.rows:
        assert row.entries
        assert set(row.entries) <= titles
        assert row.reported or all(entry.recipe for entry in row.entries.values())
    labels = [row.label for row in table.rows]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_scales_are_different_runs(name: str) -> None:
    ids: dict[tuple[Scale, int], set[str]] = {
        (scale, seed): {recipe.run_id for _, _, recipe in find(name).recipes(scale, seed)}
        for scale in SCALES
        for seed in (0, 1, 2)
    }
    for place, mine in ids.items():
        for other, theirs in ids.items():
            assert place == other or not mine & theirs


@pytest.mark.parametrize("name", NAMES)
def test_a_run_id_does_not_depend_on_how_a_recipe_is_written(name: str) -> None:
    for recipe in everywhere(find(name)):
        for order in (list[str], lambda names: sorted(names, reverse=True)):
            for defaults in (True, False):
                assert rebuilt(recipe, order, defaults=defaults).run_id == recipe.run_id


@pytest.mark.parametrize("name", NAMES)
def test_a_student_is_as_heavy_as_its_teacher_and_starts_where_it_started(name: str) -> None:
    for recipe in everywhere(find(name)):
        if recipe.teacher and isinstance(recipe.method, CapacityDynamic):
            assert recipe.student == recipe.teacher.student
            assert recipe.initialisation == recipe.teacher.initialisation
            assert (recipe.data, recipe.batch, recipe.seed) == (
                recipe.teacher.data,
                recipe.teacher.batch,
                recipe.teacher.seed,
            )


@pytest.mark.parametrize("name", NAMES)
def test_no_run_needs_imagenet_or_big_data_at_the_embedded_scales(name: str) -> None:
    for scale in EMBEDDED_SCALES:
        for _, _, recipe in find(name).recipes(scale, 0):
            for link in chain(recipe):
                assert link.data.name == "household"
                assert link.initialisation != "imagenet"


@pytest.mark.parametrize("name", NAMES)
def test_identities_that_pretrain_serve_nothing_else(name: str) -> None:
    for recipe in everywhere(find(name)):
        use = recipe.data.use
        assert use in ("standard", "classification")
        for link in chain(recipe):
            for before in link.dependencies:
                is_start = before == link.initialisation and not link.continues
                assert before.data.use == ("pretraining" if is_start else use)
                assert not is_start or before.initialisation == "random"


@pytest.mark.parametrize("name", NAMES)
def test_a_gallery_of_features_holds_whole_batches(name: str) -> None:
    for recipe in everywhere(find(name)):
        resetting = getattr(recipe.method, "resetting", None)
        if isinstance(resetting, RetrievalGuided):
            assert resetting.queue % recipe.batch.size == 0
            assert resetting.after_epoch < recipe.schedule.epochs


def test_table_1_has_the_papers_numbers() -> None:
    table = find_table("table1")
    assert [row.label for row in table.rows] == list(PAPER_TABLE_1)
    for row in table.rows:
        for title, numbers in zip(("In-Shop", "VeRi-776"), PAPER_TABLE_1[row.label], strict=True):
            assert tuple(row.entries[title].paper[name] for name in ("MP", "FLOPs", "mAP", "R1")) == numbers


def test_table_1_names_teacher_and_student_as_the_paper_does() -> None:
    texts = [row.texts for row in find_table("table1").rows]
    assert texts == [("-", "ResNet101"), *[("ResNet101", "ResNet101")] * 3]
    assert find_table("table1").headings == ("Method", "Teacher", "Student")


def test_table_1_shares_its_runs_between_the_two_protocols_at_embedded_scales() -> None:
    table = find_table("table1")
    for scale in EMBEDDED_SCALES:
        by_group: dict[str, list[str]] = {}
        for _, group, recipe in table.recipes(scale, 0):
            by_group.setdefault(group, []).append(recipe.run_id)
        assert by_group["In-Shop"] == by_group["VeRi-776"]
    assert len({recipe.run_id for _, _, recipe in table.recipes("paper", 0)}) == 8


# Section 4.2 of the paper.
def test_the_paper_scale_is_section_4_2() -> None:
    for dataset, size, epochs in (
        ("veri776", (256, 256), 100),
        ("in-shop", (256, 256), 100),
        ("msmt17", (320, 160), 120),
    ):
        recipe = recipes.cdd_with_resetting(dataset, "paper", 0)
        assert (recipe.data.height, recipe.data.width) == size
        assert recipe.batch == Batch(identities=16, images=6)
        assert (recipe.optimiser.weight_decay, recipe.optimiser.momentum) == (5e-4, 0.9)
        schedule = recipe.schedule
        assert (schedule.epochs, schedule.warmup_epochs, schedule.flat_until_epoch) == (epochs, 10, 40)
        assert schedule.peak_learning_rate == 0.01
        assert schedule.peak_learning_rate * schedule.warmup_factor == pytest.approx(0.001)
        assert recipe.student == settings.PAPER_BACKBONES.heavy
        assert recipe.initialisation == "imagenet"


def test_the_rows_of_table_1_differ_in_what_they_are_named_after() -> None:
    teacher, without, plain, guided = (
        recipe for _, group, recipe in find("table1").recipes("mini", 0) if group == "VeRi-776"
    )
    assert isinstance(teacher.method, Supervised)
    assert teacher.teacher is None
    assert isinstance(without.method, CapacityDynamic)
    assert (without.compactors, without.method.target) == (False, "filter")
    assert isinstance(plain.method, CapacityDynamic)
    assert (plain.compactors, plain.method.target, plain.method.resetting) == (True, "compactor", None)
    assert isinstance(guided.method, CapacityDynamic)
    assert guided.method.resetting is not None
    assert guided.method.model_copy(update={"resetting": None}) == plain.method
    assert without.teacher == plain.teacher == guided.teacher == teacher


def test_rebuilding_finds_a_changed_value() -> None:
    recipe = student_recipe()
    assert rebuilt(recipe, list[str], defaults=False) == recipe
    assert rebuilt(teacher_recipe(seed=1), list[str], defaults=True).run_id != teacher_recipe().run_id
