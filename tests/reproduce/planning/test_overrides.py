"""`--set`: which runs a key changes, and what a wrong one is answered."""

from collections.abc import Callable
from typing import Any

import pytest

from cdd.architecture import Backbone
from cdd.contract import PAPER
from cdd.recipe import Recipe
from experiments.common.recipes import cdd, cdd_with_resetting, pretraining, resrep, teacher
from experiments.common.settings import SETTINGS
from reproduce.errors import UsageError
from reproduce.planning.overrides import parse

TEACHER, PLAIN, GUIDED = 0, 1, 2


def recipes() -> list[Recipe]:
    """A teacher, and two students of it with and without resetting."""
    return [make("veri776", "mini", 0) for make in (teacher, cdd, cdd_with_resetting)]


def changed(*texts: str) -> list[Recipe]:
    return parse(list(texts)).apply(recipes())


def start(recipe: Recipe) -> Recipe:
    assert isinstance(recipe.initialisation, Recipe)
    return recipe.initialisation


def behind(recipe: Recipe) -> Recipe:
    assert recipe.teacher
    return recipe.teacher


def width(recipe: Recipe) -> int:
    """Of the student's embedding."""
    assert isinstance(recipe.student, Backbone)
    return recipe.student.embedding


Look = Callable[[Recipe], Any]


@pytest.mark.parametrize(
    ("text", "look", "value"),
    [
        ("data.height=16", lambda recipe: recipe.data.height, 16),
        ("batch.images=3", lambda recipe: recipe.batch.images, 3),
        ("schedule.peak_learning_rate=.5", lambda recipe: recipe.schedule.peak_learning_rate, 0.5),
        ("optimiser.momentum=0", lambda recipe: recipe.optimiser.momentum, 0.0),
        ("augmentation.erasing_area=.1,.2", lambda recipe: recipe.augmentation.erasing_area, (0.1, 0.2)),
        ("objective.triplet_margin=1", lambda recipe: recipe.objective.triplet_margin, 1.0),
        ("precision=float32", lambda recipe: recipe.precision, "float32"),
        ("fidelity=paper", lambda recipe: recipe.fidelity, PAPER),
        ("fidelity.sticky_masks=false", lambda recipe: recipe.fidelity.sticky_masks, False),
        ("evaluate_every=3", lambda recipe: recipe.evaluate_every, 3),
    ],
)
def test_what_all_runs_share_changes_in_all_of_them(text: str, look: Look, value: object) -> None:
    found = changed(text)
    every = [*found, *map(start, found), *map(behind, found[1:]), *(start(behind(r)) for r in found[1:])]
    assert [look(recipe) for recipe in every] == [value] * len(every)


def test_a_changed_teacher_row_and_the_teacher_behind_a_student_stay_one_run() -> None:
    for text in ("optimiser.momentum=0", "teacher.optimiser.momentum=0", "schedule.epochs=7"):
        found = changed(text)
        assert {behind(recipe).run_id for recipe in found[1:]} == {found[TEACHER].run_id}
        assert found[TEACHER].run_id != recipes()[TEACHER].run_id


def test_a_students_method_leaves_teachers_and_pretraining_alone() -> None:
    before, found = recipes(), changed("method.sparsity=.5")
    assert found[TEACHER] == before[TEACHER]
    for place in (PLAIN, GUIDED):
        assert found[place].method.sparsity == 0.5  # type: ignore[attr-defined]
        assert behind(found[place]) == before[TEACHER]
        assert start(found[place]) == start(before[place])


def test_a_key_that_only_some_runs_have_changes_those() -> None:
    before, found = recipes(), changed("method.resetting.ratio=.25")
    assert found[:GUIDED] == before[:GUIDED]
    assert found[GUIDED].method.resetting.ratio == 0.25  # type: ignore[attr-defined]


def test_a_students_backbone_changes_the_pretraining_that_it_starts_from_too() -> None:
    found = changed("student.embedding=64")
    for place in (PLAIN, GUIDED):
        assert width(found[place]) == width(start(found[place])) == 64
        assert width(behind(found[place])) == width(start(behind(found[place]))) == 128
    assert width(found[TEACHER]) == width(start(found[TEACHER])) == 128


def test_a_teachers_backbone_changes_the_pretraining_that_it_starts_from_too() -> None:
    found = changed("teacher.student.embedding=64")
    teachers = [found[TEACHER], behind(found[PLAIN]), behind(found[GUIDED])]
    assert {width(recipe) for recipe in teachers} == {64}
    assert {width(start(recipe)) for recipe in teachers} == {64}
    assert {width(recipe) for recipe in found[1:]} == {128}


def test_pretraining_alone_can_be_changed() -> None:
    before, found = recipes(), changed("initialisation.optimiser.momentum=0")
    assert {start(recipe).optimiser.momentum for recipe in found} == {0.0}
    assert {start(behind(recipe)).optimiser.momentum for recipe in found[1:]} == {0.0}
    assert [recipe.optimiser for recipe in found] == [recipe.optimiser for recipe in before]


def test_an_initialisation_without_pretraining_can_be_chosen() -> None:
    found = changed("initialisation=random")
    assert {recipe.initialisation for recipe in [*found, behind(found[PLAIN])]} == {"random"}


def test_tuning_identities_do_not_touch_the_pretraining() -> None:
    found = changed("data.use=tuning")
    assert {recipe.data.use for recipe in [*found, *map(behind, found[1:])]} == {"tuning"}
    assert {start(recipe).data.use for recipe in found} == {"pretraining"}


def test_changed_epochs_stretch_the_whole_schedule() -> None:
    before, found = recipes(), changed("schedule.epochs=10")  # half of 20
    for old, new in zip(before, found, strict=True):
        assert new.schedule.epochs == 10
        assert new.schedule.warmup_epochs == old.schedule.warmup_epochs / 2
        assert new.schedule.flat_until_epoch == old.schedule.flat_until_epoch / 2
    resetting = found[GUIDED].method.resetting  # type: ignore[attr-defined]
    assert resetting.after_epoch == before[GUIDED].method.resetting.after_epoch // 2  # type: ignore[attr-defined]


def test_what_is_set_beside_the_epochs_is_not_stretched() -> None:
    found = changed("schedule.epochs=10", "schedule.warmup_epochs=2", "method.resetting.after_epoch=3")
    assert {recipe.schedule.warmup_epochs for recipe in found} == {2.0}
    assert {recipe.schedule.flat_until_epoch for recipe in found} == {4.0}
    assert found[GUIDED].method.resetting.after_epoch == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("epochs", [1, 2, 3, 1000])
def test_every_length_gives_a_possible_schedule(epochs: int) -> None:
    assert {recipe.schedule.epochs for recipe in changed(f"schedule.epochs={epochs}")} == {epochs}


def test_no_change_changes_nothing() -> None:
    assert parse([]).apply(recipes()) == recipes()
    assert not parse([])
    assert changed("objective.triplet_margin=0.35") == recipes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schedul.epochs=3", r"no run of this artifact has a field 'schedul.epochs'.*schedule.epochs"),
        ("schedule.epoch=3", r"Nearest: schedule.epochs \(integer at least 1, now 20\)"),
        ("sparsity=1", r"method.sparsity \(number at least 0"),
        ("qqqqqqqq=1", r"Nearest: .*schedule"),
        ("teacher.method.sparsity=1", "no teacher of this artifact"),
        ("initialisation.method.sparsity=1", "no pretraining run of this artifact"),
        ("schedule.epochs=ten", r"epochs was given 'ten'; allowed is a valid integer"),
        ("schedule.epochs=2.5", r"epochs was given 2.5"),
        ("schedule.epochs=0", r"epochs was given 0; allowed is greater than or equal to 1"),
        ("optimiser.momentum=1", r"momentum was given 1; allowed is less than 1"),
        (
            "precision=float64",
            r"precision was given 'float64'; allowed is 'float32', 'mixed', 'bfloat16' or 'float16'",
        ),
        ("student.blocks=1,2", r"student.blocks"),
        ("method.sparsity=-1", r"sparsity was given -1"),
        ("fidelity=exact", "fidelity"),
        ("teacher=none", "distils from a teacher"),
        ("schedule.flat_until_epoch=99", "must satisfy warmup_epochs <= flat_until_epoch < epochs"),
        ("batch=7", "batch"),
        ("seed=1", "use --seeds"),
        ("teacher.seed=1", "use --seeds"),
        ("schedule.epochs", "expected key=value"),
        ("=3", "expected key=value"),
        ("schedule..epochs=3", "expected key=value"),
    ],
)
def test_a_wrong_override_is_refused_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        changed(text)
    assert str(caught.value).startswith(f"--set {text}: ")


@pytest.mark.parametrize(
    "texts",
    [
        ["schedule.epochs=2", "schedule.epochs=3"],
        ["schedule.epochs=2", 'schedule={"epochs": 3, "warmup_epochs": 0, "flat_until_epoch": 1}'],
    ],
)
def test_two_values_for_one_field_are_refused(texts: list[str]) -> None:
    for order in (texts, texts[::-1]):
        with pytest.raises(UsageError, match="twice"):
            changed(*order)


def test_what_is_said_of_teachers_alone_wins_in_any_order() -> None:
    texts = ["optimiser.momentum=.1", "teacher.optimiser.momentum=.2"]
    found = changed(*texts)
    assert found[TEACHER].optimiser.momentum == 0.2
    assert found[PLAIN].optimiser.momentum == 0.1
    assert changed(*texts[::-1]) == found


def test_the_digest_names_the_set_of_changes_whatever_their_order() -> None:
    one, two = "schedule.epochs=5", "method.sparsity=.5"
    assert parse([one, two]).digest == parse([two, one]).digest
    assert len(parse([one]).digest) == 8
    digests = [parse(texts).digest for texts in ([one], [two], [one, two], ["teacher.schedule.epochs=5"])]
    assert len(set(digests)) == 4


def test_writing_a_number_differently_is_the_same_change() -> None:
    assert parse(["method.sparsity=.5"]).digest == parse(["method.sparsity = 0.50"]).digest


def test_a_method_can_be_replaced_whole() -> None:
    found = changed('method={"method": "cdd.methods.capacity_dynamic:CapacityDynamic", "sparsity": 0.125}')
    assert {recipe.method.sparsity for recipe in found[1:]} == {0.125}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "replaced",
    ['method={"method": "cdd.methods.capacity_dynamic:CapacityDynamic"}', "method.resetting=none"],
)
def test_changed_epochs_leave_out_a_start_that_is_replaced(replaced: str) -> None:
    found = changed("schedule.epochs=10", replaced)[1:]
    assert [recipe.method.resetting for recipe in found] == [None, None]  # type: ignore[attr-defined]
    assert {recipe.schedule.epochs for recipe in found} == {10}


def test_a_methods_name_changes_the_runs_of_that_method_alone() -> None:
    before = recipes()
    found = changed("CapacityDynamic.sparsity=.125")
    assert found[TEACHER] == before[TEACHER]
    assert [recipe.method.sparsity for recipe in found[1:]] == [0.125, 0.125]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no run with the method RKD of this artifact"):
        changed("RKD.angle_weight=1")


def test_a_base_that_a_student_starts_from_changes_as_the_teacher_does() -> None:
    base, pruned = teacher("veri776", "mini", 0), resrep(0.5, "veri776", "mini", 0)
    found = parse(["teacher.schedule.peak_learning_rate=.5"]).apply([cdd("veri776", "mini", 0), pruned])
    assert start(found[1]).run_id == behind(found[0]).run_id
    assert found[1].schedule == base.schedule
    (narrow,) = parse(["student.planes=8,16,32,64"]).apply([pruned])
    assert narrow.student == start(narrow).student == start(start(narrow)).student
    (shorter,) = parse(["schedule.epochs=40"]).apply([pruned])
    assert shorter.method.after_epoch == 2 * pruned.method.after_epoch  # type: ignore[attr-defined]


def test_pretraining_is_the_same_run_for_teachers_and_students() -> None:
    setting = SETTINGS["veri776", "mini"]
    assert setting.pretraining
    wanted = pretraining(setting, setting.backbones.heavy, setting.pretraining).run_id
    assert {start(recipe).run_id for recipe in recipes()} == {wanted}
