"""What MLflow holds after a command: a parent, its trainings, and everything that made them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow.pytorch
import pytest
import torch

from cdd.models.deployed import load_deployed
from cdd.recipe import Recipe
from cdd.training.environment import Machine
from experiments.schema.table import Table
from reproduce.errors import StoreError
from reproduce.execution.listener import Listener
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions
from reproduce.storage.provenance import versions
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.connection import tracking_uri
from reproduce.tracking.model_logging import log_deployed
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE, FakeTraining, a_student, a_teacher, epoch, table
from tests.reproduce.fakes import STUDENT as STUDENT_ROW
from tests.reproduce.fakes import TEACHER as TEACHER_ROW
from tests.reproduce.stored import everything, parents, points, trained

TEACHER, STUDENT = a_teacher("mini", 0), a_student("mini", 0)


@pytest.fixture(scope="module")
def finished_results(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, deployed: Path
) -> Iterator[Path]:
    """A results folder after one command; for tests that only look."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(empty_database, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr("experiments.registry.find", lambda name: table(TEACHER_ROW, STUDENT_ROW))
        patch.setattr("reproduce.pipeline.artifact_pipeline.code_version", lambda: CODE)
        patch.setattr("reproduce.tracking.training_run.log_deployed", lambda *arguments: "models:/left-out")
        request = RunOptions(
            names=["tiny"], scale="mini", seeds=[0], results=folder, machine=Machine(device="cpu")
        )
        ArtifactPipeline(request, Listener()).run(FakeTraining(deployed))
    yield folder


@pytest.fixture
def finished(finished_results: Path) -> Store:
    """The store of that folder."""
    return Store(tracking_uri(finished_results), ResultsFolder(finished_results.resolve()), CODE)


def test_a_table_is_a_parent_and_each_training_its_child(finished: Store) -> None:
    (parent,) = parents(finished)
    children = [found for found in everything(finished) if "mlflow.parentRunId" in found.data.tags]
    assert {found.data.tags["mlflow.parentRunId"] for found in children} == {parent.info.run_id}
    assert {found.data.tags["cdd.run_id"] for found in children} == {TEACHER.run_id, STUDENT.run_id}
    assert {found.info.status for found in [parent, *children]} == {"FINISHED"}
    assert parent.data.tags["cdd.artifact"] == "tiny"
    assert finished.client.get_experiment(parent.info.experiment_id).name == "tiny-mini"


def test_a_training_has_its_recipe_as_parameters_and_as_a_file(finished: Store) -> None:
    found = trained(finished, STUDENT)
    assert found.data.params["run_id"] == STUDENT.run_id
    assert found.data.params["schedule.epochs"] == "3"
    assert found.data.params["method"] == "CapacityDynamic"
    assert found.data.params["method.resetting.queue"] == "16"
    assert found.data.params["teacher"] == TEACHER.run_id
    text = mlflow.artifacts.load_text(f"{found.info.artifact_uri}/recipe.json")
    assert Recipe.from_json(json.loads(text)) == STUDENT


def test_a_training_has_every_epochs_metrics_at_their_step(finished: Store) -> None:
    found = trained(finished, STUDENT)
    for name in ("loss/total", "camera_rule/mAP"):
        history = finished.client.get_metric_history(found.info.run_id, name)
        assert {p.step: p.value for p in history} == {
            number: epoch(STUDENT, number).metrics[name] for number in (1, 2, 3)
        }
    assert found.data.metrics["deployed/parameters"] == 1e6


def test_a_training_names_its_data_with_digest(finished: Store) -> None:
    found = trained(finished, STUDENT)
    assert found.inputs
    (given,) = found.inputs.dataset_inputs
    digest = "0123456789abcdef" * 4
    assert given.dataset.name == "household"
    assert digest.startswith(given.dataset.digest)
    assert json.loads(given.dataset.source)["sha256"] == digest
    assert found.data.tags["cdd.data_digest"] == digest


def test_every_run_names_commit_state_and_versions(finished: Store) -> None:
    for found in everything(finished):
        assert found.data.tags["mlflow.source.git.commit"] == CODE.commit
        assert found.data.tags["cdd.git_dirty"] == "false"
        for name, number in versions().items():
            assert found.data.tags[f"cdd.version.{name}"] == number
    environment = json.loads(trained(finished, TEACHER).data.tags["cdd.environment"])
    assert environment["git_commit"] == CODE.commit
    assert environment["device"] == "cpu"


def test_a_training_leaves_its_files_in_the_store(finished: Store) -> None:
    run_id = trained(finished, STUDENT).info.run_id
    names = {item.path for item in finished.client.list_artifacts(run_id)}
    assert names >= {"recipe.json", "result.json", "weights.pt", "deployed.pt"}


def test_the_parent_has_the_table(finished: Store) -> None:
    (parent,) = parents(finished)
    names = {item.path for item in finished.client.list_artifacts(parent.info.run_id, "table")}
    assert names == {f"table/tiny.{suffix}" for suffix in ("md", "csv", "tex", "pdf")}


def test_a_training_is_named_after_its_row_and_says_what_it_is(finished: Store) -> None:
    teacher, student = trained(finished, TEACHER), trained(finished, STUDENT)
    assert teacher.info.run_name == "Teacher, mini, seed 0"
    assert student.info.run_name == "Student, mini, seed 0"
    assert teacher.data.tags["cdd.role"] == "teacher"
    said = {"role": "student", "method": "CapacityDynamic", "scale": "mini", "artifact": "tiny", "seed": "0"}
    assert {name: student.data.tags[f"cdd.{name}"] for name in said} == said


def test_parameters_show_the_method_and_what_is_no_default(finished: Store) -> None:
    params = trained(finished, STUDENT).data.params
    assert params["method.tap_weight"] == str(STUDENT.method.model_dump()["tap_weight"])
    assert params["student.planes"] == "4,4,8,8"
    assert not [name for name in params if name.startswith(("fidelity.", "optimiser."))]


def test_a_finished_training_has_the_tables_numbers_first(finished: Store) -> None:
    found = trained(finished, STUDENT).data.metrics
    assert sorted(found)[:2] == ["Result/MP", "Result/mAP camera_rule"]
    assert found["Result/MP"] == 1
    assert found["Result/mAP camera_rule"] == pytest.approx(100 * found["deployed/camera_rule/mAP"])


def test_the_parent_has_the_tables_numbers_and_its_text(finished: Store) -> None:
    (parent,) = parents(finished)
    assert parent.data.metrics["Shelf MP/Student"] == 1
    assert parent.data.metrics["Shelf MP/Teacher"] == 4
    of_student = trained(finished, STUDENT).data.metrics
    assert parent.data.metrics["Shelf mAP/Student"] == pytest.approx(
        of_student["Result/mAP camera_rule"], 1e-5
    )
    assert "Two networks on a shelf" in parent.data.tags["mlflow.note.content"].splitlines()[0]


def test_a_name_that_mlflow_refuses_becomes_the_nearest(store: Store) -> None:
    run_id = store.client.create_run(store.experiment("tiny-mini")).info.run_id
    store.log_metrics(run_id, {"Shelf mAP/CDD+RGGR (ours)": 1.0})
    assert store.client.get_run(run_id).data.metrics == {"Shelf mAP/CDD_RGGR _ours_": 1.0}


def test_mlflows_own_search_finds_a_run_by_parameter_and_metric(finished: Store) -> None:
    frame = mlflow.search_runs(
        experiment_names=["tiny-mini"],
        filter_string="params.method = 'CapacityDynamic' and metrics.`deployed/parameters` < 2000000",
    )
    assert list(frame["tags.cdd.run_id"]) == [STUDENT.run_id]


def test_a_second_command_trains_nothing_and_adds_no_run(
    run: Callable[..., object], store: Store, training: FakeTraining
) -> None:
    run()
    before = {found.info.run_id for found in everything(store)}
    run()
    assert len(training.begun) == 2
    assert {found.info.run_id for found in everything(store)} == before


def test_no_metric_has_two_points_at_one_step(finished: Store) -> None:
    for found in everything(finished):
        for name, steps in points(finished, found).items():
            assert len(set(steps)) == len(steps), name


def test_overridden_runs_say_so_in_their_parent(run: Callable[..., object], store: Store) -> None:
    run(changes=["optimiser.momentum=.5"])
    (parent,) = parents(store)
    assert parent.data.tags["cdd.overrides"] == "optimiser.momentum=.5"


def test_a_parent_that_died_is_closed_by_the_next_command(
    session: Callable[..., ArtifactPipeline], store: Store, training: FakeTraining
) -> None:
    def die(recipe: Recipe, number: int) -> None:
        raise SystemExit("as if killed")

    training.before_epoch = die
    with pytest.raises(SystemExit):
        session().run(training)
    (dead,) = parents(store)
    store.client.update_run(dead.info.run_id, status="RUNNING")
    training.before_epoch = lambda recipe, number: None
    session().run(training)
    assert sorted(found.info.status for found in parents(store)) == ["FINISHED", "KILLED"]


def test_an_experiment_that_another_process_just_made_is_used(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store.experiment("tiny-mini")
    look = store.client.get_experiment_by_name
    answers = iter([None])
    monkeypatch.setattr(
        type(store.client), "get_experiment_by_name", lambda client, name: next(answers, look(name))
    )
    assert store.experiment("tiny-mini") == made


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.slow
def test_the_logged_model_loads_and_gives_the_same_embeddings(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], deployed: Path, store: Store
) -> None:
    tables["tiny"] = table(TEACHER_ROW)
    (drawn,) = session().run(FakeTraining(deployed))
    assert drawn.complete
    run = trained(store, TEACHER)
    model = mlflow.pytorch.load_model(run.data.tags["cdd.model"]).eval()
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(images), load_deployed(deployed).eval()(images))
    logged = store.client.get_logged_model(run.data.tags["cdd.model"].rpartition("/")[2])
    assert logged.name == run.info.run_name == "Teacher, mini, seed 0"
    measured = {each.key: (each.value, each.dataset_name) for each in logged.metrics or []}
    assert measured["Result/mAP camera_rule"] == (run.data.metrics["Result/mAP camera_rule"], "household")
    assert all(len(set(steps)) == len(steps) for steps in points(store, run).values())


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.slow
def test_a_model_that_comes_back_different_is_not_called_delivered(
    store: Store, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.client.create_run(store.experiment("tiny-mini")).info.run_id
    monkeypatch.setattr(
        mlflow.pytorch, "load_model", lambda uri: lambda images: load_deployed(deployed).eval()(images) + 1
    )
    with pytest.raises(StoreError, match="differs by 1"):
        log_deployed(store, run_id, TEACHER, deployed)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.slow
def test_a_logged_model_belongs_to_its_run_and_leaves_it_open(store: Store, deployed: Path) -> None:
    experiment = store.experiment("tiny-mini")
    run_id = store.client.create_run(experiment).info.run_id
    model = mlflow.get_logged_model(log_deployed(store, run_id, TEACHER, deployed).rpartition("/")[2])
    assert (model.experiment_id, model.source_run_id) == (experiment, run_id)
    assert str(store.workspace.results) in model.artifact_location
    found = store.client.get_run(run_id)
    assert found.info.status == "RUNNING"
    assert found.outputs and found.outputs.model_outputs
    assert mlflow.active_run() is None
