"""A calibration is made once for each shape and device, and tells the plan what no finished run tells."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cdd.data.dataset_size import dataset_size
from cdd.errors import DataError
from cdd.recipe import Recipe
from cdd.training.throughput import Throughput
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.planning.duration import CALIBRATION, SpeedHistory, calibrate, calibrated, estimate
from reproduce.tracking.recipe_keys import timing_key
from tests.reproduce.fakes import a_teacher
from tests.small import student_recipe, teacher_recipe

PACE = Throughput(seconds_per_step=2.0, seconds_per_image=0.5, peak_memory=10**9)


class Stopwatch:
    """Stands for the measurement."""

    def __init__(self) -> None:
        self.measured: list[str] = []

    def __call__(self, recipe: Recipe) -> Throughput:
        self.measured.append(timing_key(recipe))
        return PACE


def test_each_shape_is_measured_once_on_each_device(tmp_path: Path) -> None:
    watch = Stopwatch()
    recipes = [teacher_recipe(), student_recipe(), teacher_recipe(seed=1)]
    for device in ("this", "this", "other"):
        calibrate(recipes, tmp_path, device, watch)
    assert watch.measured == [timing_key(recipes[0]), timing_key(recipes[1])] * 2
    assert calibrated(tmp_path, "this") == {timing_key(recipes[0]): PACE, timing_key(recipes[1]): PACE}
    assert calibrated(tmp_path, "third") == {}


def test_an_estimate_is_steps_and_evaluations_of_what_is_left() -> None:
    recipe = teacher_recipe(evaluate_every=2)
    speed = SpeedHistory({}, "cpu", {timing_key(recipe): PACE})
    size = dataset_size(recipe.data)
    epoch = size.training_images // recipe.batch.size * 2.0 + size.evaluated_images * 0.5 / 2
    found = estimate(recipe, speed, 1)
    assert found.seconds == pytest.approx(2 * epoch)
    assert (found.basis, found.peak_memory) == ("calibrated on cpu", 10**9)


def test_a_plan_measures_only_what_it_is_asked_to(
    session: Callable[..., ArtifactPipeline], results: Path
) -> None:
    watch = Stopwatch()
    assert session().plan().items[0].estimate.seconds is None
    plan = session().plan(watch)
    assert len(watch.measured) == len(plan.items) == 2
    assert all(item.estimate.seconds for item in plan.items)
    assert session().plan().items[0].estimate.seconds == plan.items[0].estimate.seconds
    assert (results / CALIBRATION).exists()


def test_finished_runs_are_trusted_more(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], results: Path
) -> None:
    watch = Stopwatch()
    run()
    session().plan(watch)
    assert not watch.measured
    (item,) = [
        one for one in session(fresh=True).plan(watch).items if one.run_id == a_teacher("mini", 0).run_id
    ]
    assert "finished run" in item.estimate.basis


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"this": []}', '{"this": {"a": {"seconds_per_step": "2"}}}', '{"this": {"a": {"x": 1}}}'],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / CALIBRATION).write_text(text)
    with pytest.raises(DataError, match=r"calibration\.json is damaged: .*--calibrate"):
        calibrated(tmp_path, "this")
