"""What a task of a Ray cluster does, without a cluster: its parts are called here as Ray calls them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cdd.recipe import Recipe
from cdd.result import Epoch
from cdd.training.observer import Progress
from reproduce.errors import UsageError
from reproduce.execution.cluster.task import BEGAN, EventQueue, RemoteListener, TaskContext, run_task
from reproduce.execution.outcome import Outcome
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.planning.plan import PlannedRun
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE, FakeTraining, Recorder, a_student, a_teacher

TEACHER, STUDENT = a_teacher("mini", 0), a_student("mini", 0)
FINISHED = Outcome(state="finished")


class Handle:
    """Stands for an actor's handle: every call is done at once, and its value stands for its reference."""

    def __init__(self, actor: object):
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=partial(getattr, self._actor)(name))


@dataclass
class Machine:
    """One that does tasks: orders for it, and a mailbox that hears of them."""

    order: TaskContext
    mailbox: EventQueue
    plan: Callable[..., dict[str, PlannedRun]]

    def does(self, item: PlannedRun, *before: Outcome, order: TaskContext | None = None) -> Outcome:
        names = [needed.run_id for needed in item.recipe.dependencies]
        return run_task(order or self.order, item, Handle(self.mailbox), names[: len(before)], *before)


@pytest.fixture
def machine(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    workspace: ResultsFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Machine:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")
    monkeypatch.setattr(ray, "get", lambda value: value)
    monkeypatch.setattr("reproduce.execution.cluster.task.code_version", lambda: CODE)
    experiment = store.experiment("tiny-mini")
    order = TaskContext(
        uri=store.uri,
        workspace=workspace,
        token=tmp_path / "token",
        published=workspace.scale_folder("mini"),
        experiment=experiment,
        parent=store.start_invocation(experiment, "tiny", {}),
        train=training,
        machine=session().request.machine,
        commit=CODE.commit,
        settings={},
    )
    order.token.touch()

    def plan(**request: object) -> dict[str, PlannedRun]:
        return {item.run_id: item for item in session(**request).plan().items}

    return Machine(order, EventQueue(), plan)


def test_a_mailbox_gives_every_message_once_in_order_and_counts_beginnings() -> None:
    mailbox = EventQueue()
    assert [mailbox.begin(run_id, "host") for run_id in ("a", "b", "a")] == [1, 1, 2]
    mailbox.put("b", "noted", "text")
    assert mailbox.take() == [
        ("a", BEGAN, (1, "host")),
        ("b", BEGAN, (1, "host")),
        ("a", BEGAN, (2, "host")),
        ("b", "noted", ("text",)),
    ]
    assert mailbox.take() == []


def test_a_sender_tells_everything_but_most_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    mailbox = EventQueue()
    sender = RemoteListener(Handle(mailbox), "a")
    for _ in range(5):
        sender.stepped(Progress(epoch=1, epochs=2, step=1, steps=9, loss=0.5))
        now[0] += 1.0
    sender.epoch_finished(Epoch(number=1, metrics={}), 2)
    sender.noted("seen")
    sender.warned("beware")
    assert [name for _, name, _ in mailbox.take()] == [*["stepped"] * 3, "epoch_finished", "noted", "warned"]


def test_a_task_does_what_one_process_would(machine: Machine, store: Store, training: FakeTraining) -> None:
    items = machine.plan()
    assert machine.does(items[TEACHER.run_id]).state == "finished"
    assert machine.does(items[STUDENT.run_id], FINISHED).state == "finished"
    assert training.begun == [TEACHER.run_id, STUDENT.run_id]
    parents = {run.tags["mlflow.parentRunId"] for (run,) in store.trainings().values()}
    assert parents == {machine.order.parent}
    told = [name for run_id, name, _ in machine.mailbox.take() if run_id == STUDENT.run_id]
    assert told == [BEGAN, *["epoch_finished"] * 3]


def test_a_task_behind_a_failed_one_trains_nothing(machine: Machine, training: FakeTraining) -> None:
    outcome = machine.does(machine.plan()[STUDENT.run_id], Outcome(state="failed"))
    assert outcome.words == f"skipped: it needs {TEACHER.run_id}, which failed"
    assert training.begun == []


def test_a_task_that_begins_again_goes_on_though_the_run_was_asked_for_anew(
    machine: Machine, training: FakeTraining
) -> None:
    machine.does(machine.plan()[TEACHER.run_id])
    training.epochs.clear()
    item = machine.plan(fresh=True)[TEACHER.run_id]
    assert item.renew

    def die(recipe: Recipe, number: int) -> None:
        if number == 3 and len(training.epochs) == 2:
            training.before_epoch = lambda recipe, number: None
            raise KeyboardInterrupt

    machine.mailbox = EventQueue()
    training.before_epoch = die
    with pytest.raises(KeyboardInterrupt):
        machine.does(item)
    assert machine.does(item).state == "finished"
    assert training.epochs == [(TEACHER.run_id, number) for number in (1, 2, 3)]


def test_a_shared_folder_is_that_of_the_command_and_another_the_machines_own(machine: Machine) -> None:
    elsewhere = replace(machine.order.workspace, host="elsewhere")
    order = replace(machine.order, workspace=elsewhere)
    assert order.job(Recorder()).workspace.name == elsewhere.name
    order.token.unlink()
    assert order.job(Recorder()).workspace.name == machine.order.workspace.name != elsewhere.name


def test_other_code_is_said_and_noted(machine: Machine) -> None:
    listener = Recorder()
    job = replace(machine.order, commit="fedcba9876543210").job(listener)
    (warning,) = listener.warnings
    assert "has the code of commit 0123456, this command that of fedcba9" in warning
    assert job.store.code == CODE


def test_a_machine_that_cannot_do_it_is_named(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    order = replace(machine.order, workspace=ResultsFolder(tmp_path / "file" / "results"))
    with pytest.raises(UsageError, match="^on [^ ]+: the results folder .*cannot be written"):
        machine.does(machine.plan()[TEACHER.run_id], order=order)
