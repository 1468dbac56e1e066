"""What MLflow holds after a command: a parent, its trainings, and everything that made them."""

import json
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import torch
from mlflow.entities import Run

from cdd.models.deployed import load_deployed
from cdd.recipe import Recipe
from reproduce.artifact import Table
from reproduce.errors import StoreError
from reproduce.session import Session
from reproduce.source import versions
from reproduce.tracked_model import log_deployed
from reproduce.tracking import Store
from tests.reproduce.conftest import CODE
from tests.reproduce.fakes import FakeTraining, a_student, a_teacher, epoch, table
from tests.reproduce.fakes import TEACHER as TEACHER_ROW

TEACHER, STUDENT = a_teacher("mini", 0), a_student("mini", 0)


def trained(store: Store, recipe: Recipe) -> Run:
    (stored,) = store.trainings()[recipe.run_id]
    return store.client.get_run(stored.mlflow_id)


def everything(store: Store) -> list[Run]:
    experiments = [found.experiment_id for found in store.client.search_experiments()]
    return list(store.client.search_runs(experiments))


def parents(store: Store) -> list[Run]:
    return [found for found in everything(store) if found.data.tags["cdd.kind"] == "invocation"]


def points(store: Store, run: Run) -> dict[str, list[int]]:
    """The steps of every metric, in order."""
    history = store.client.get_metric_history
    return {name: sorted(p.step for p in history(run.info.run_id, name)) for name in run.data.metrics}


def test_a_table_is_a_parent_and_each_training_its_child(run: Callable[..., object], store: Store) -> None:
    run()
    (parent,) = parents(store)
    children = [found for found in everything(store) if "mlflow.parentRunId" in found.data.tags]
    assert {found.data.tags["mlflow.parentRunId"] for found in children} == {parent.info.run_id}
    assert {found.data.tags["cdd.run_id"] for found in children} == {TEACHER.run_id, STUDENT.run_id}
    assert {found.info.status for found in [parent, *children]} == {"FINISHED"}
    assert parent.data.tags["cdd.artifact"] == "tiny"
    assert store.client.get_experiment(parent.info.experiment_id).name == "tiny-mini"


def test_a_training_has_its_recipe_as_parameters_and_as_a_file(
    run: Callable[..., object], store: Store
) -> None:
    run()
    found = trained(store, STUDENT)
    assert found.data.params["run_id"] == STUDENT.run_id
    assert found.data.params["schedule.epochs"] == "3"
    assert found.data.params["method"] == "CapacityDynamic"
    assert found.data.params["method.resetting.queue"] == "16"
    assert found.data.params["teacher"] == TEACHER.run_id
    text = mlflow.artifacts.load_text(f"{found.info.artifact_uri}/recipe.json")
    assert Recipe.from_json(json.loads(text)) == STUDENT


def test_a_training_has_every_epochs_metrics_at_their_step(run: Callable[..., object], store: Store) -> None:
    run()
    found = trained(store, STUDENT)
    for name in ("loss/total", "camera_rule/mAP"):
        history = store.client.get_metric_history(found.info.run_id, name)
        assert {p.step: p.value for p in history} == {
            number: epoch(STUDENT, number).metrics[name] for number in (1, 2, 3)
        }
    assert found.data.metrics["deployed/parameters"] == 1e6


def test_a_training_names_its_data_with_digest(run: Callable[..., object], store: Store) -> None:
    run()
    found = trained(store, STUDENT)
    (given,) = found.inputs.dataset_inputs
    digest = "0123456789abcdef" * 4
    assert given.dataset.name == "household"
    assert digest.startswith(given.dataset.digest)
    assert json.loads(given.dataset.source)["sha256"] == digest
    assert found.data.tags["cdd.data_digest"] == digest


def test_every_run_names_commit_state_and_versions(run: Callable[..., object], store: Store) -> None:
    run()
    for found in everything(store):
        assert found.data.tags["mlflow.source.git.commit"] == CODE.commit
        assert found.data.tags["cdd.git_dirty"] == "false"
        for name, number in versions().items():
            assert found.data.tags[f"cdd.version.{name}"] == number
    environment = json.loads(trained(store, TEACHER).data.tags["cdd.environment"])
    assert environment["git_commit"] == CODE.commit
    assert environment["device"] == "cpu"


def test_a_training_leaves_its_files_in_the_store(run: Callable[..., object], store: Store) -> None:
    run()
    run_id = trained(store, STUDENT).info.run_id
    names = {item.path for item in store.client.list_artifacts(run_id)}
    assert names >= {"recipe.json", "result.json", "weights.pt", "deployed.pt"}


def test_the_parent_has_the_table(run: Callable[..., object], store: Store) -> None:
    run()
    (parent,) = parents(store)
    names = {item.path for item in store.client.list_artifacts(parent.info.run_id, "table")}
    assert names == {f"table/tiny.{suffix}" for suffix in ("md", "csv", "tex", "pdf")}


def test_mlflows_own_search_finds_a_run_by_parameter_and_metric(
    run: Callable[..., object], store: Store
) -> None:
    run()
    frame = mlflow.search_runs(
        experiment_names=["tiny-mini"],
        filter_string="params.method = 'CapacityDynamic' and metrics.`deployed/parameters` < 2000000",
    )
    assert list(frame["tags.cdd.run_id"]) == [STUDENT.run_id]  # type: ignore[call-overload]


def test_a_second_command_trains_nothing_and_adds_no_run(
    run: Callable[..., object], store: Store, training: FakeTraining
) -> None:
    run()
    before = {found.info.run_id for found in everything(store)}
    run()
    assert len(training.begun) == 2
    assert {found.info.run_id for found in everything(store)} == before


def test_no_metric_has_two_points_at_one_step(run: Callable[..., object], store: Store) -> None:
    run()
    for found in everything(store):
        for name, steps in points(store, found).items():
            assert len(set(steps)) == len(steps), name


def test_overridden_runs_say_so_in_their_parent(run: Callable[..., object], store: Store) -> None:
    run(changes=["optimiser.momentum=.5"])
    (parent,) = parents(store)
    assert parent.data.tags["cdd.overrides"] == "optimiser.momentum=.5"


def test_a_parent_that_died_is_closed_by_the_next_command(
    session: Callable[..., Session], store: Store, training: FakeTraining
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


@pytest.mark.slow
def test_the_logged_model_loads_and_gives_the_same_embeddings(
    session: Callable[..., Session], tables: dict[str, Table], deployed: Path, store: Store
) -> None:
    tables["tiny"] = table(TEACHER_ROW)
    (drawn,) = session().run(FakeTraining(deployed))
    assert drawn.complete
    model = mlflow.pytorch.load_model(trained(store, TEACHER).data.tags["cdd.model"])
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(images), load_deployed(deployed).eval()(images))


@pytest.mark.slow
def test_a_model_that_comes_back_different_is_not_called_delivered(
    store: Store, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.client.create_run(store.experiment("tiny-mini")).info.run_id
    monkeypatch.setattr(
        "mlflow.pytorch.load_model", lambda uri: lambda images: load_deployed(deployed).eval()(images) + 1
    )
    with pytest.raises(StoreError, match="differs by 1"):
        log_deployed(store, run_id, TEACHER, deployed)
