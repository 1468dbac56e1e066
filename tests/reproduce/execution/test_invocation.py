"""The parent of what a command causes is closed however the command ends; a model that no tag names goes."""

from collections.abc import Callable
from pathlib import Path

import mlflow.pytorch
import pytest

from experiments.schema.table import Table
from reproduce.errors import StoreError
from reproduce.execution.invocation import Invocation
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.tracking.model_logging import log_deployed
from reproduce.tracking.store import Store
from tests.reproduce.fakes import TEACHER, FakeTraining, Recorder, a_teacher, table
from tests.reproduce.stored import everything


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED"), (SystemExit, "FAILED")]
)
def test_an_error_says_in_the_store_how_the_command_ended(
    store: Store, listener: Recorder, error: type[BaseException], status: str
) -> None:
    with pytest.raises(error), Invocation(store, listener, "tiny-mini", "tiny-mini") as own:
        own.begin("a table", {})
        own.end(complete=True)
        raise error
    (found,) = everything(store)
    assert found.info.status == status
    assert found.data.tags["cdd.invocation"] == "tiny-mini"


@pytest.mark.parametrize(("complete", "status"), [(True, "FINISHED"), (False, "FAILED")])
def test_a_command_says_whether_it_has_all(
    store: Store, listener: Recorder, tmp_path: Path, complete: bool, status: str
) -> None:
    (tmp_path / "tiny.md").write_text("a table")
    with Invocation(store, listener, "tiny-mini", "tiny-mini") as own:
        mlflow_id = own.begin("a table", {})
        own.end(complete=complete, files=[tmp_path / "tiny.md"])
    assert [found.info.status for found in everything(store)] == [status]
    assert [item.path for item in store.client.list_artifacts(mlflow_id, "table")] == ["table/tiny.md"]


def test_a_store_that_fails_at_the_end_is_a_warning_and_hides_no_error(
    store: Store, listener: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(store, "finish", fail)
    with Invocation(store, listener, "tiny-mini", "tiny-mini") as own:
        own.begin("a table", {})
    with pytest.raises(ZeroDivisionError), Invocation(store, listener, "tiny-mini", "tiny-mini") as own:
        own.begin("a table", {})
        raise ZeroDivisionError
    assert listener.warnings == ["gone", "gone"]


def test_only_one_that_nobody_works_on_is_closed(store: Store, listener: Recorder) -> None:
    with Invocation(store, listener, "tiny-mini", "tiny-mini") as first:
        alive = first.begin("alive", {})
        with Invocation(store, listener, "tiny-mini", "tiny-mini"):
            assert store.client.get_run(alive).info.status == "RUNNING"
    store.client.update_run(alive, status="RUNNING")
    with Invocation(store, listener, "tiny-mini", "tiny-mini") as second:
        assert second.parent is None
    assert store.client.get_run(alive).info.status == "KILLED"


def test_a_deleted_experiment_stops_the_command_before_the_first_training(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], training: FakeTraining, store: Store
) -> None:
    tables["other"] = table(TEACHER, name="other")
    store.client.delete_experiment(store.experiment("other-mini"))
    with pytest.raises(StoreError, match="the experiment other-mini was deleted in MLflow"):
        session("tiny", "other").run(training)
    assert training.begun == []


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_model_that_an_interrupted_delivery_left_behind_is_removed(
    store: Store, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = store.experiment("tiny-mini")
    run_id, other = (store.client.create_run(experiment).info.run_id for _ in range(2))
    kept = store.client.create_logged_model(experiment, name="model", source_run_id=other).model_id

    def save(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mlflow.pytorch, "save_model", save)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            log_deployed(store, run_id, a_teacher("mini", 0), deployed)
    found = mlflow.search_logged_models([experiment], output_format="list")
    assert sorted(str(model.source_run_id) for model in found) == sorted([run_id, other])
    assert kept in {model.model_id for model in found}


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_full_disk_that_pytorch_meets_is_the_stores(
    store: Store, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*arguments: object, **named: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file: No space left on device")

    run_id = store.client.create_run(store.experiment("tiny-mini")).info.run_id
    monkeypatch.setattr(mlflow.pytorch, "save_model", save)
    with pytest.raises(StoreError, match="no space left on device. Make room on its disk"):
        log_deployed(store, run_id, a_teacher("mini", 0), deployed)
