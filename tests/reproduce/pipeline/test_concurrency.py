"""Two commands at once: a run is trained by one of them only, and stored once."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from cdd.recipe import Recipe
from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.planning.plan import make_plan
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.store import Store
from tests.reproduce.fakes import TEACHER, FakeTraining, Recorder, a_teacher, table
from tests.reproduce.stored import everything, parents, trained

RECIPE = a_teacher("mini", 0)


@pytest.fixture
def tables(tables: dict[str, Table]) -> dict[str, Table]:
    """One row is enough."""
    tables["tiny"] = table(TEACHER)
    return tables


class Both:
    """A command that stops within its training, beside a second one."""

    def __init__(self, session: Callable[..., ArtifactPipeline], training: FakeTraining):
        self.session, self.training = session, training
        self.begun, self.may_go_on = Event(), Event()
        self.drawn: list[RenderedArtifact] = []
        self.errors: list[BaseException] = []
        training.before_epoch = self.hold

    def hold(self, recipe: Recipe, number: int) -> None:
        """Waits in the first epoch until it may go on."""
        if number == 1:
            self.begun.set()
            assert self.may_go_on.wait(30)

    def start(self) -> Thread:
        """Starts the command."""
        thread = Thread(target=self._run, args=(self.session(),))
        thread.start()
        return thread

    def _run(self, session: ArtifactPipeline) -> None:
        try:
            self.drawn += session.run(self.training)
        except BaseException as error:
            self.errors.append(error)


class Waiting(Recorder):
    """Knows when somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = Event()

    def warned(self, text: str) -> None:
        super().warned(text)
        self.waits.set()


@pytest.fixture
def listener() -> Waiting:
    return Waiting()


def test_the_second_command_waits_and_reuses(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store, listener: Waiting
) -> None:
    both = Both(session, training)
    first = both.start()
    assert both.begun.wait(30)
    second = both.start()
    assert listener.waits.wait(30)
    assert "is being run by another process: waiting" in listener.warnings[0]
    assert training.begun == [RECIPE.run_id]
    both.may_go_on.set()
    first.join(60)
    second.join(60)
    assert both.errors == []
    assert training.begun == [RECIPE.run_id]
    assert sorted(drawn.outcomes[RECIPE.run_id].state for drawn in both.drawn) == ["finished", "reused"]
    assert trained(store, RECIPE).info.status == "FINISHED"


def test_the_second_command_goes_on_in_the_same_run_where_the_first_one_fails(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store, listener: Waiting
) -> None:
    both = Both(session, training)
    hold = both.hold

    def hold_then_fail(recipe: Recipe, number: int) -> None:
        hold(recipe, number)
        if number == 2 and len(training.begun) == 1:
            raise RuntimeError("the first one fails")

    training.before_epoch = hold_then_fail
    first = both.start()
    assert both.begun.wait(30)
    second = both.start()
    assert listener.waits.wait(30)
    both.may_go_on.set()
    first.join(60)
    second.join(60)
    assert both.errors == []
    assert sorted(drawn.outcomes[RECIPE.run_id].state for drawn in both.drawn) == ["failed", "finished"]
    assert training.epochs == [(RECIPE.run_id, number) for number in (1, 2, 3)]
    assert trained(store, RECIPE).data.tags["cdd.attempt"] == "2"


def test_a_run_that_ended_between_plan_and_work_is_not_stored_again(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def planned_then_overtaken(*arguments: object, **named: object) -> object:
        plan = make_plan(*arguments, **named)  # type: ignore[arg-type]
        monkeypatch.setattr("reproduce.pipeline.artifact_pipeline.make_plan", make_plan)
        session().run(training)
        return plan

    monkeypatch.setattr("reproduce.pipeline.artifact_pipeline.make_plan", planned_then_overtaken)
    (drawn,) = session().run(training)
    assert drawn.outcomes[RECIPE.run_id].state == "reused"
    assert training.begun == [RECIPE.run_id]
    assert len([run for run in everything(store) if run.data.tags["cdd.kind"] == "training"]) == 1


def test_a_run_that_stopped_between_plan_and_work_is_continued_in_the_store_too(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(recipe: Recipe, number: int) -> None:
        if number == 3:
            raise RuntimeError("stopped")

    def planned_then_overtaken(*arguments: object, **named: object) -> object:
        plan = make_plan(*arguments, **named)  # type: ignore[arg-type]
        monkeypatch.setattr("reproduce.pipeline.artifact_pipeline.make_plan", make_plan)
        training.before_epoch = stop
        session().run(training)
        training.before_epoch = lambda recipe, number: None
        return plan

    monkeypatch.setattr("reproduce.pipeline.artifact_pipeline.make_plan", planned_then_overtaken)
    (drawn,) = session().run(training)
    assert drawn.complete
    assert training.epochs == [(RECIPE.run_id, number) for number in (1, 2, 3)]
    assert trained(store, RECIPE).data.tags["cdd.attempt"] == "2"


def test_a_living_parent_of_another_process_is_not_closed(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, store: Store, workspace: ResultsFolder
) -> None:
    both = Both(session, training)
    first = both.start()
    assert both.begun.wait(30)
    second = both.start()
    both.may_go_on.set()
    first.join(60)
    second.join(60)
    assert both.errors == []
    assert {found.info.status for found in parents(store)} == {"FINISHED"}


def test_a_run_is_delivered_though_another_writer_names_its_data_set_at_once(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, errors = type(store.client).log_inputs, [MlflowException("UNIQUE constraint failed: datasets.name")]

    def overtaken(*arguments: Any, **named: Any) -> None:
        if errors:
            raise errors.pop()
        log(*arguments, **named)

    monkeypatch.setattr(type(store.client), "log_inputs", overtaken)
    (drawn,) = session().run(training)
    assert drawn.complete
    inputs = trained(store, RECIPE).inputs
    assert inputs and len(inputs.dataset_inputs) == 1


def test_locks_of_different_runs_do_not_block_each_other(workspace: ResultsFolder) -> None:
    with workspace.lock("one"), workspace.lock("two"):
        assert workspace.lock("one").is_locked is False
