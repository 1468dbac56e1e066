"""An interrupted command goes on where it stopped, in the same MLflow run, without a second point."""

import time
from collections.abc import Callable

import pytest
from mlflow.entities import Metric

from cdd.errors import DivergenceError
from cdd.recipe import Recipe
from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.tracking.store import Store
from reproduce.tracking.training_run import TrackedRun
from tests.reproduce.fakes import TEACHER, FakeTraining, Recorder, a_student, a_teacher, epoch, row, table
from tests.reproduce.stored import everything, parents, points, trained

RECIPE = a_teacher("mini", 0)
STUDENT = a_student("mini", 0)
KEPT = ["loss/total", "camera_rule/mAP", "epoch"]


@pytest.fixture
def tables(tables: dict[str, Table]) -> dict[str, Table]:
    """One row is enough."""
    tables["tiny"] = table(TEACHER)
    return tables


def ends_before(training: FakeTraining, epoch: int, error: BaseException) -> None:
    """Lets the error end every training before this epoch."""

    def end(recipe: Recipe, number: int) -> None:
        if number == epoch:
            raise error

    training.before_epoch = end


def goes_on(training: FakeTraining) -> None:
    training.before_epoch = lambda recipe, number: None


@pytest.mark.parametrize("stops", [[1], [2], [3], [3, 2, 1], [2, 2, 3]])
def test_a_resumed_training_is_the_same_run_with_one_point_per_step(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store, stops: list[int]
) -> None:
    for stop in stops:
        ends_before(training, stop, KeyboardInterrupt())
        try:
            session().run(training)
        except KeyboardInterrupt:
            assert {found.info.status for found in everything(store)} == {"KILLED"}
    goes_on(training)
    (drawn,) = session().run(training)
    assert drawn.complete
    assert training.epochs == [(RECIPE.run_id, number) for number in (1, 2, 3)]
    found = points(store, trained(store, RECIPE))
    assert [found[name] for name in KEPT] == [[1, 2, 3]] * 3


def test_epochs_that_were_trained_before_are_not_announced_again(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, listener: Recorder
) -> None:
    ends_before(training, 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        session().run(training)
    goes_on(training)
    session().run(training)
    assert listener.epochs == [1, 2, 3]
    assert listener.started[-1].state == "resume"
    assert listener.started[-1].reason == "stopped after epoch 2 of 3"


def test_points_of_half_a_batch_are_not_written_again(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store
) -> None:
    ends_before(training, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        session().run(training)
    run_id = trained(store, RECIPE).info.run_id
    half = Metric("loss/total", epoch(RECIPE, 2).metrics["loss/total"], 0, 2)
    store.client.log_batch(run_id, metrics=[half])
    goes_on(training)
    session().run(training)
    found = points(store, trained(store, RECIPE))
    assert [found[name] for name in KEPT] == [[1, 2, 3]] * 3


def test_completing_twice_adds_nothing(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store
) -> None:
    session().run(training)
    run = trained(store, RECIPE)
    before = points(store, run)
    result = training(RECIPE, store.workspace.folder(RECIPE.run_id), weights={})
    TrackedRun(store, run.info.run_id).complete(RECIPE, result, store.workspace.folder(RECIPE.run_id))
    assert points(store, trained(store, RECIPE)) == before


def test_system_metrics_go_on_behind_the_earlier_ones(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reproduce.tracking.training_run.SECONDS_BETWEEN_SYSTEM_METRICS", 0.05)

    def slow_then_stop(recipe: Recipe, number: int) -> None:
        wait_for_system_metrics(store)
        if number == 2:
            raise KeyboardInterrupt

    training.before_epoch = slow_then_stop
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            session().run(training)
    steps = [
        found
        for name, found in points(store, trained(store, RECIPE)).items()
        if name.startswith("system/cpu")
    ]
    assert steps
    assert all(found == list(range(len(found))) and len(found) >= 2 for found in steps)


def wait_for_system_metrics(store: Store) -> None:
    """Returns when the store has one more point of the processor's use."""

    name, run_id = "system/cpu_utilization_percentage", trained(store, RECIPE).info.run_id
    before = len(store.client.get_metric_history(run_id, name))
    deadline = time.monotonic() + 20
    while len(store.client.get_metric_history(run_id, name)) == before and time.monotonic() < deadline:
        time.sleep(0.05)


def test_a_diverged_training_fails_with_its_message_and_spares_the_others(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], training: FakeTraining, store: Store
) -> None:
    tables["tiny"] = table(TEACHER, row("Student", a_student), row("Other", lambda s, seed: a_teacher(s, 7)))

    def diverge(recipe: Recipe, number: int) -> None:
        if recipe == RECIPE:
            raise DivergenceError("epoch 1, iteration 3: total nan")

    training.before_epoch = diverge
    (drawn,) = session().run(training)
    assert not drawn.complete
    assert [drawn.outcomes[r.run_id].state for r in (RECIPE, STUDENT, a_teacher("mini", 7))] == [
        "failed",
        "skipped",
        "finished",
    ]
    assert drawn.outcomes[STUDENT.run_id].message == f"it needs {RECIPE.run_id}, which failed"
    assert trained(store, RECIPE).data.tags["cdd.message"] == "epoch 1, iteration 3: total nan"
    assert trained(store, RECIPE).info.status == "FAILED"
    assert [found.info.status for found in parents(store)] == ["FAILED"]


def test_an_unexpected_error_is_not_swallowed(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store
) -> None:
    ends_before(training, 2, TypeError("a mistake in the program"))
    with pytest.raises(TypeError):
        session().run(training)
    assert trained(store, RECIPE).info.status == "FAILED"
    assert trained(store, RECIPE).data.tags["cdd.message"] == "TypeError: a mistake in the program"
    assert [found.info.status for found in parents(store)] == ["FAILED"]
