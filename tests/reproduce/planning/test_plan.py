"""A plan holds each distinct run once, behind what it needs, with what is to be done and why."""

import shutil
from collections.abc import Callable

import pytest

from cdd.recipe import Recipe
from cdd.result import WEIGHTS
from experiments.schema.scale import Scale
from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.planning.plan import Plan
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.store import Store
from tests.reproduce.fakes import STUDENT, TEACHER, FakeTraining, Recorder, a_student, a_teacher, row, table
from tests.small import student_recipe, teacher_recipe


class Stop(RuntimeError):
    """Ends a training as a failure."""


def states(plan: Plan) -> dict[str, str]:
    return {item.run_id: item.state for item in plan.items}


def reasons(plan: Plan) -> dict[str, str]:
    return {item.run_id: item.reason for item in plan.items}


def order(plan: Plan) -> list[str]:
    return [item.run_id for item in plan.items]


def pretrained(scale: Scale, seed: int) -> Recipe:
    """A student that starts from another run than its teacher."""
    start = teacher_recipe(data=teacher_recipe().data.model_copy(update={"use": "pretraining"}))
    return a_student(scale, seed).model_copy(update={"initialisation": start})


def stop_at(training: FakeTraining, epoch: int) -> None:
    def stop(recipe: Recipe, number: int) -> None:
        if number == epoch:
            raise Stop("no more")

    training.before_epoch = stop


def test_a_plan_holds_each_run_once_and_dependencies_first(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table]
) -> None:
    again = row("Student again", a_student)
    tables["tiny"] = table(STUDENT, again, row("Pretrained", pretrained), TEACHER)
    plan = session().plan()
    places = {run_id: place for place, run_id in enumerate(order(plan))}
    assert len(places) == len(plan.items) == 4
    for item in plan.items:
        assert all(places[before.run_id] < places[item.run_id] for before in item.recipe.dependencies)
    labels = {item.run_id: item.labels for item in plan.items}
    assert labels[a_student("mini", 0).run_id] == ("Student", "Student again")
    assert labels[a_teacher("mini", 0).run_id] == ("Teacher",)
    assert any(names[0].startswith("pretraining of ") for names in labels.values())


def test_two_rows_with_one_recipe_train_once(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], training: FakeTraining
) -> None:
    tables["tiny"] = table(TEACHER, row("Teacher again", a_teacher))
    (drawn,) = session().run(training)
    assert training.begun == [a_teacher("mini", 0).run_id]
    means = drawn.sheet.numbers.groupby("row")["mean"].first()
    assert means["Teacher"] == means["Teacher again"]


def test_runs_are_counted_through_all_artifacts_of_a_command(
    run: Callable[..., list[RenderedArtifact]], tables: dict[str, Table], listener: Recorder
) -> None:
    tables["other"] = table(
        STUDENT, row("More", lambda scale, seed: a_teacher(scale, seed + 7)), name="other"
    )
    run("tiny", "other")
    assert listener.counted == [(1, 3), (2, 3), (3, 3)]


def test_two_tables_share_their_runs(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], training: FakeTraining
) -> None:
    tables["other"] = table(STUDENT, name="other")
    first, second = session("tiny", "other").run(training)
    assert sorted(training.begun) == sorted({recipe("mini", 0).run_id for recipe in (a_teacher, a_student)})
    assert first.trained == 2
    assert second.trained == 0
    assert second.complete


def test_nothing_stored_means_everything_runs(session: Callable[..., ArtifactPipeline]) -> None:
    plan = session().plan()
    assert set(states(plan).values()) == {"run"}
    assert set(reasons(plan).values()) == {"never run"}


def test_a_dependency_that_no_row_shows_is_named_after_its_student(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table]
) -> None:
    tables["tiny"] = table(STUDENT)
    names = [item.name for item in session().plan().items]
    assert names == ["teacher of Student at 16x16, seed 0", "Student at 16x16, seed 0"]


def test_seeds_are_different_runs_with_teachers_of_their_own(
    session: Callable[..., ArtifactPipeline],
) -> None:
    plan = session(seeds=[0, 1]).plan()
    assert len(plan.items) == 4
    assert {item.recipe.seed for item in plan.items} == {0, 1}


def test_a_finished_run_is_reused_with_its_time(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline]
) -> None:
    run()
    plan = session().plan()
    assert set(states(plan).values()) == {"reuse"}
    assert all(reason.startswith("finished 20") for reason in reasons(plan).values())
    assert plan.work == []


def test_planning_writes_nothing(session: Callable[..., ArtifactPipeline], workspace: ResultsFolder) -> None:
    (workspace.results / "mlflow.db").unlink()
    session().plan()
    assert list(workspace.results.iterdir()) == []


def test_a_dependency_is_left_out_where_its_weights_are_not_needed(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], tables: dict[str, Table]
) -> None:
    run()
    tables["tiny"] = table(STUDENT)
    assert order(session().plan()) == [a_student("mini", 0).run_id]


def test_a_finished_dependency_is_reused_where_its_weights_are_there(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], tables: dict[str, Table]
) -> None:
    tables["tiny"] = table(TEACHER)
    run()
    tables["tiny"] = table(STUDENT)
    assert list(states(session().plan()).values()) == ["reuse", "run"]


def test_weights_are_fetched_from_the_store_where_the_folder_is_gone(
    run: Callable[..., list[object]],
    session: Callable[..., ArtifactPipeline],
    tables: dict[str, Table],
    workspace: ResultsFolder,
    training: FakeTraining,
) -> None:
    tables["tiny"] = table(TEACHER)
    run()
    shutil.rmtree(workspace.checkpoints)
    tables["tiny"] = table(STUDENT)
    assert list(states(session().plan()).values()) == ["reuse", "run"]
    (drawn,) = session().run(training)
    assert drawn.complete
    assert training.begun == [a_teacher("mini", 0).run_id, a_student("mini", 0).run_id]


def test_a_finished_run_without_weights_is_trained_again_for_its_student(
    run: Callable[..., object],
    session: Callable[..., ArtifactPipeline],
    tables: dict[str, Table],
    workspace: ResultsFolder,
    training: FakeTraining,
) -> None:
    tables["tiny"] = table(TEACHER)
    run()
    for path in workspace.results.rglob(WEIGHTS):
        path.unlink()
    assert states(session().plan()) == {a_teacher("mini", 0).run_id: "reuse"}
    tables["tiny"] = table(STUDENT, TEACHER)
    plan = session().plan()
    assert order(plan) == [a_teacher("mini", 0).run_id, a_student("mini", 0).run_id]
    assert reasons(plan)[a_teacher("mini", 0).run_id] == "finished, but its weights are gone"
    (drawn,) = session().run(training)
    assert drawn.complete
    assert training.begun[1:] == order(plan)


def test_a_reused_row_moves_behind_its_own_dependency_where_a_later_row_needs_its_weights(
    run: Callable[..., object],
    session: Callable[..., ArtifactPipeline],
    tables: dict[str, Table],
    workspace: ResultsFolder,
) -> None:
    start = teacher_recipe(precision="mixed")
    middle = teacher_recipe(initialisation=start)
    last = student_recipe(teacher=middle)
    tables["tiny"] = table(row("Middle", lambda scale, seed: middle))
    run()
    for path in workspace.results.rglob(WEIGHTS):
        path.unlink()
    tables["tiny"] = table(row("Middle", lambda scale, seed: middle), row("Last", lambda scale, seed: last))
    plan = session().plan()
    assert order(plan) == [start.run_id, middle.run_id, last.run_id]
    assert set(states(plan).values()) == {"run"}


def test_a_changed_default_is_noticed_and_named(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], store: Store, training: FakeTraining
) -> None:
    run()
    teacher = a_teacher("mini", 0)
    (stored,) = store.trainings()[teacher.run_id]
    older = {**teacher.to_json(), "evaluate_every": 7}
    store.client.log_dict(stored.mlflow_id, older, "recipe.json")
    store.client.set_tag(stored.mlflow_id, "cdd.recipe_digest", "of the older recipe")
    plan = session().plan()
    assert states(plan)[teacher.run_id] == "run"
    assert reasons(plan)[teacher.run_id] == "finished under other defaults of evaluate_every"
    session().run(training)
    assert training.begun[2:] == [teacher.run_id]
    assert set(states(session().plan()).values()) == {"reuse"}


def test_a_field_that_only_has_a_new_default_changes_nothing(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], store: Store
) -> None:
    run()
    teacher = a_teacher("mini", 0)
    (stored,) = store.trainings()[teacher.run_id]
    older = {name: value for name, value in teacher.to_json().items() if name != "evaluate_every"}
    store.client.log_dict(stored.mlflow_id, older, "recipe.json")
    store.client.set_tag(stored.mlflow_id, "cdd.recipe_digest", "of the older recipe")
    assert states(session().plan())[teacher.run_id] == "reuse"


def test_a_stopped_run_is_resumed_where_its_checkpoints_are(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, workspace: ResultsFolder
) -> None:
    stop_at(training, 2)
    session().run(training)
    teacher = a_teacher("mini", 0).run_id
    plan = session().plan()
    assert (states(plan)[teacher], reasons(plan)[teacher]) == ("resume", "failed after epoch 1 of 3")
    shutil.rmtree(workspace.folder(teacher))
    item = session().plan().items[0]
    assert (item.run_id, item.state, item.stored) == (teacher, "run", None)
    assert item.reason == "begun before, but its checkpoints are not here"


def test_a_run_begun_in_another_workplace_is_not_taken_over(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store, workspace: ResultsFolder
) -> None:
    stop_at(training, 2)
    session().run(training)
    teacher = a_teacher("mini", 0).run_id
    (stored,) = store.trainings()[teacher]
    store.client.set_tag(stored.mlflow_id, "cdd.workplace", "elsewhere")
    item = session().plan().items[0]
    assert (item.state, item.stored, item.reason) == ("resume", None, "its checkpoints are here")
    training.before_epoch = lambda recipe, number: None
    session().run(training)
    assert len(store.trainings()[teacher]) == 2


def test_a_trained_run_that_the_store_lacks_is_delivered_without_training(
    run: Callable[..., object],
    session: Callable[..., ArtifactPipeline],
    store: Store,
    training: FakeTraining,
) -> None:
    run()
    teacher = a_teacher("mini", 0).run_id
    store.supersede(store.trainings()[teacher], "as if it had never arrived")
    plan = session().plan()
    assert states(plan)[teacher] == "deliver"
    assert reasons(plan)[teacher] == "trained, but the store does not have it yet"
    (drawn,) = session().run(training)
    assert drawn.complete
    assert len(training.begun) == 2
    assert store.trainings()[teacher][0].metrics["parameters"] == 4e6


@pytest.mark.parametrize("seeds", [[0], [1, 0]])
def test_a_plan_as_plain_values_names_everything(
    session: Callable[..., ArtifactPipeline], seeds: list[int]
) -> None:
    items = [item.as_plain() for item in session(seeds=seeds).plan().items]
    student = next(item for item in items if item["labels"] == ["Student"])
    assert student["depends_on"] == [a_teacher("mini", student["seed"]).run_id]
    assert student["state"] == "run"
    assert student["estimated_seconds"] is None
