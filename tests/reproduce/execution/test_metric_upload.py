"""A store that is out of reach stops no training and loses nothing."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from requests.exceptions import ConnectionError as NoConnection
from sqlalchemy.exc import OperationalError

from cdd.recipe import Recipe
from cdd.result import Epoch
from cdd.training.observer import Progress
from experiments.schema.table import Table
from reproduce.errors import StoreError
from reproduce.execution.metric_upload import MetricUploader
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.provenance import ROOT
from reproduce.tracking.store import Store
from reproduce.tracking.training_run import TrackedRun
from tests.reproduce.fakes import TEACHER, FakeTraining, Recorder, a_teacher, table
from tests.reproduce.stored import everything, points, trained

RECIPE = a_teacher("mini", 0)
STEPS = {"loss/total": [1, 2, 3], "camera_rule/mAP": [1, 2, 3], "epoch": [1, 2, 3]}


class Outage:
    """Makes calls to the store fail while it lasts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.lasts = False
        self.error: Exception = NoConnection("Connection refused")
        for name in ("log_batch", "create_run", "set_tag", "search_runs", "get_run", "log_artifact"):
            monkeypatch.setattr(mlflow.MlflowClient, name, self._failing(getattr(mlflow.MlflowClient, name)))
        monkeypatch.setattr(mlflow, "search_runs", self._failing(mlflow.search_runs))

    def _failing(self, function: Callable[..., object]) -> Callable[..., object]:
        def called(*arguments: object, **named: object) -> object:
            if self.lasts:
                raise self.error
            return function(*arguments, **named)

        return called


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    monkeypatch.setattr("reproduce.execution.metric_upload.SECONDS_BETWEEN_DELIVERIES", 0)
    monkeypatch.setattr("reproduce.execution.metric_upload.SECONDS_BEFORE_RETRY", 0)
    return Outage(monkeypatch)


@pytest.fixture
def tables(tables: dict[str, Table]) -> dict[str, Table]:
    """One row is enough."""
    tables["tiny"] = table(TEACHER)
    return tables


def fails_in(training: FakeTraining, outage: Outage, epochs: range) -> None:
    """The outage lasts from the beginning of the first of these epochs to the end of the last."""

    def before_epoch(recipe: Recipe, number: int) -> None:
        outage.lasts = number in epochs

    training.before_epoch = before_epoch


def complete_steps(store: Store) -> dict[str, list[int]]:
    found = points(store, trained(store, RECIPE))
    return {name: found[name] for name in STEPS}


@pytest.mark.parametrize("epochs", [range(1, 2), range(2, 3), range(1, 3)], ids=str)
def test_an_outage_while_training_costs_one_warning_and_no_point(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    listener: Recorder,
    outage: Outage,
    epochs: range,
) -> None:
    fails_in(training, outage, epochs)
    (drawn,) = session().run(training)
    assert drawn.complete
    assert complete_steps(store) == STEPS
    assert len(listener.warnings) == 1
    assert "The training goes on" in listener.warnings[0]


def test_an_outage_to_the_end_leaves_the_run_to_the_next_command(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    outage: Outage,
) -> None:
    fails_in(training, outage, range(2, 4))
    (drawn,) = session().run(training)
    assert drawn.outcomes[RECIPE.run_id].state == "undelivered"
    assert not drawn.complete
    assert drawn.sheet.numbers["mean"].notna().all()
    outage.lasts = False
    (again,) = session().run(training)
    assert again.complete
    assert training.begun == [RECIPE.run_id]
    assert complete_steps(store) == STEPS


@pytest.mark.parametrize(
    "fault",
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no space left on device. Make room on its disk"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "disk quota exceeded. Make room on its disk"),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), "disk is full. Make room"),
        (
            MlflowException("(sqlite3.OperationalError) disk I/O error\n[SQL: INSERT"),
            "disk i/o error. Make room",
        ),
        (MlflowException("attempt to write a readonly database"), "Make the file and its folder writable"),
        (MlflowException("The run a must be in the 'active' state."), "mlflow runs restore"),
    ],
    ids=lambda fault: fault[1],
)
def test_a_store_that_fails_in_whatever_way_stops_no_training_and_gets_all_later(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    listener: Recorder,
    outage: Outage,
    fault: tuple[Exception, str],
) -> None:
    outage.error, words = fault
    fails_in(training, outage, range(2, 4))
    (drawn,) = session().run(training)
    assert drawn.outcomes[RECIPE.run_id].state == "undelivered"
    assert words in drawn.outcomes[RECIPE.run_id].message
    assert words in listener.warnings[0]
    assert not any("server" in said for said in listener.warnings)
    outage.lasts = False
    assert session().run(training)[0].complete
    assert training.begun == [RECIPE.run_id]
    assert complete_steps(store) == STEPS


def test_a_store_that_answers_only_after_the_first_epoch_gets_one_run(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    outage: Outage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = TrackedRun.describe

    def lost(run: TrackedRun, recipe: Recipe) -> None:
        monkeypatch.setattr(TrackedRun, "describe", real)
        raise StoreError("gone between two calls")

    monkeypatch.setattr(TrackedRun, "describe", lost)
    session().run(training)
    assert trained(store, RECIPE).data.params["run_id"] == RECIPE.run_id
    assert complete_steps(store) == STEPS
    assert len([run for run in everything(store) if run.data.tags["cdd.kind"] == "training"]) == 1


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5, 6])
def test_half_of_a_batch_that_got_through_is_not_sent_again(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    outage: Outage,
    monkeypatch: pytest.MonkeyPatch,
    lost: int,
) -> None:
    monkeypatch.setattr("reproduce.tracking.training_run.BATCH", 2)  # of an epoch's three points
    real, calls = store.client.log_batch, []

    def log_batch(client: object, run_id: str, **named: Any) -> None:
        if "metrics" in named:
            calls.append(named)
            if len(calls) == lost:
                raise NoConnection("Connection refused")
        real(run_id, **named)

    monkeypatch.setattr(type(store.client), "log_batch", log_batch)
    (drawn,) = session().run(training)
    assert drawn.complete
    assert len(calls) > 6
    assert complete_steps(store) == STEPS


def test_deliveries_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    tracked, listener = FakeTracked(), Recorder()
    delivery = MetricUploader(lambda: tracked, listener, RECIPE, 0)  # type: ignore[arg-type, return-value]
    for number, moment in enumerate([100.0, 101.0, 102.5], start=1):
        now[0] = moment
        delivery.epoch_finished(Epoch(number=number, metrics={}))
    assert tracked.batches == [[1], [2, 3]]
    tracked.fails = True
    now[0] = 110.0
    delivery.epoch_finished(Epoch(number=4, metrics={}))
    tracked.fails = False
    now[0] = 169.0
    delivery.epoch_finished(Epoch(number=5, metrics={}))
    assert len(tracked.batches) == 2
    delivery.close()
    assert tracked.batches[-1] == [4, 5]


class FakeTracked:
    """Takes batches, or fails."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.fails = False

    def log_epochs(self, epochs: list[Epoch]) -> None:
        if self.fails:
            raise StoreError("gone")
        self.batches.append([epoch.number for epoch in epochs])

    def stop_monitor(self) -> None:
        """Nothing to stop."""


def test_progress_is_passed_on() -> None:
    class Steps(Recorder):
        last: Progress | None = None

        def stepped(self, progress: Progress) -> None:
            self.last = progress

    listener = Steps()
    progress = Progress(epoch=1, epochs=3, step=2, steps=9, loss=0.5)
    MetricUploader(lambda: pytest.fail("not needed"), listener, RECIPE, 0).stepped(progress)
    assert listener.last == progress


def test_a_store_out_of_reach_is_an_error_before_any_training(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9 does not answer: connection refused.*unset"):
        session().run(training)
    assert time.monotonic() - started < 15
    assert training.begun == []


def test_the_command_line_says_so_in_one_line_with_exit_code_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reproduce", "table1", "--results", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: the tracking store http://127.0.0.1:9 does not answer: connection refused")
    assert list(tmp_path.rglob("*.ckpt")) == []


def test_show_draws_from_records_where_the_store_is_out_of_reach(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    listener: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session().run(training)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    (drawn,) = session().show()
    assert drawn.sheet.numbers["state"].eq("measured").all()
    assert "Drawing from the records" in listener.warnings[-1]
