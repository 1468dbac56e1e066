"""How long a run will take is concluded from runs of its shape on the same kind of device, or unknown."""

from collections.abc import Callable

import pytest

from cdd.recipe import Recipe
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.planning.duration import Estimate, SpeedHistory, estimate, total
from reproduce.tracking.recipe_keys import timing_key
from reproduce.tracking.store import StoredRun
from tests.reproduce.fakes import FakeTraining, a_teacher
from tests.small import student_recipe, teacher_recipe

RECIPE = teacher_recipe()  # three epochs


def finished(seconds: float, epochs: int = 3, recipe: Recipe = RECIPE, **changes: object) -> StoredRun:
    values = {
        "mlflow_id": "m",
        "run_id": recipe.run_id,
        "status": "FINISHED",
        "tags": {"cdd.shape": timing_key(recipe)},
        "finished_at": "",
        "epochs": epochs,
        "metrics": {"seconds": seconds},
        "environment": {"device": "cpu"},
        **changes,
    }
    return StoredRun(**values)  # type: ignore[arg-type]


def measured(*runs: StoredRun, device: str = "cpu") -> SpeedHistory:
    return SpeedHistory.measured({RECIPE.run_id: list(runs)}, device)


def test_an_estimate_is_the_median_epoch_times_what_is_left() -> None:
    speed = measured(finished(3), finished(6), finished(300))  # 1, 2 and 100 seconds an epoch
    assert estimate(RECIPE, speed, 0) == Estimate(6.0, "3 finished runs of this shape on cpu")
    assert estimate(RECIPE, speed, 2).seconds == 2.0
    assert estimate(RECIPE, speed, 5).seconds == 0.0


def test_epochs_count_not_runs() -> None:
    assert estimate(RECIPE, measured(finished(100, epochs=50)), 0).seconds == 6.0


@pytest.mark.parametrize(
    "run",
    [
        finished(3, status="RUNNING"),
        finished(3, environment={"device": "cuda"}),
        finished(3, environment={}),
        finished(3, epochs=0),
        finished(3, metrics={}),
        finished(3, recipe=student_recipe()),
    ],
)
def test_runs_that_say_nothing_about_this_one_are_left_out(run: StoredRun) -> None:
    found = estimate(RECIPE, measured(run), 0)
    assert found == Estimate(None, "no finished run of this shape on cpu")


def test_a_total_adds_what_is_known_and_counts_the_rest() -> None:
    assert total([Estimate(2.0, ""), Estimate(None, ""), Estimate(3.5, "")]) == (5.5, 1)
    assert total([]) == (0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 7},
        {"optimiser": RECIPE.optimiser.model_copy(update={"momentum": 0.1})},
        {"schedule": RECIPE.schedule.model_copy(update={"epochs": 9})},
    ],
)
def test_what_does_not_change_an_epochs_time_leaves_the_shape(changes: dict[str, object]) -> None:
    assert timing_key(teacher_recipe(**changes)) == timing_key(RECIPE)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": RECIPE.data.model_copy(update={"height": 32})},
        {"batch": RECIPE.batch.model_copy(update={"images": 4})},
        {"student": RECIPE.student.model_copy(update={"planes": (4, 4, 8, 16)})},
        {"precision": "mixed"},
        {"evaluate_every": 2},
        {"compactors": True},
        {"teacher": teacher_recipe()},
        {"method": student_recipe().method},
    ],
)
def test_what_changes_an_epochs_time_changes_the_shape(changes: dict[str, object]) -> None:
    assert timing_key(teacher_recipe(**changes)) != timing_key(RECIPE)


def test_resetting_changes_the_shape_and_its_numbers_do_not() -> None:
    def with_method(**changes: object) -> str:
        return timing_key(student_recipe(method=student_recipe().method.model_copy(update=changes)))

    assert with_method(resetting=None) != with_method()
    assert with_method(sparsity=0.1) == with_method()


def test_a_plan_estimates_the_next_seed_from_the_last_one(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline]
) -> None:
    run()
    known, unknown = session(seeds=[0, 1]).plan().items[0], session(seeds=[1]).plan().items
    assert (known.state, known.estimate.seconds) == ("reuse", 0.0)
    assert [item.estimate.seconds for item in unknown] == [6.0, 6.0]  # as the fake says


def test_a_resumed_run_is_estimated_by_what_is_left(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> None:
    run()

    def stop(recipe: Recipe, number: int) -> None:
        if number == 3:
            raise RuntimeError("stopped")

    training.before_epoch = stop
    run(seeds=[1])
    (item,) = [item for item in session(seeds=[1]).plan().items if item.run_id == a_teacher("mini", 1).run_id]
    assert (item.state, item.estimate.seconds) == ("resume", 2.0)
