"""A study that was interrupted, wherever and however often, is the study that nobody disturbed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import TPESampler

from reproduce.studies import study_lock
from reproduce.studies.study import RowStudy
from reproduce.studies.study_lock import FileStudyLock
from reproduce.studies.trial_run import TrackedTrial
from reproduce.tracking.store import Store
from tests.reproduce.fakes import FakeTraining, Recorder, accuracy
from tests.reproduce.row_studies import MakeStudy, open_runs

pytestmark = pytest.mark.usefixtures("without_plots")


class Killed(BaseException):
    """Ends a command where it stands."""


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes Optuna seconds, and begins to learn from trials at once."""
    monkeypatch.setattr("reproduce.studies.report.plots", lambda *arguments: {})
    monkeypatch.setattr("reproduce.studies.sampler.TPESampler", partial(TPESampler, n_startup_trials=1))


def dies(owner: Any, name: str, call: int, *, after: bool = False) -> Callable[[pytest.MonkeyPatch], None]:
    """Ends the command at this call of a function, before or after its work."""

    def install(patch: pytest.MonkeyPatch) -> None:
        real, calls = getattr(owner, name), []

        def called(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) == call and not after:
                raise Killed
            found = real(*arguments, **named)
            if len(calls) == call:
                raise Killed
            return found

        patch.setattr(owner, name, called)

    return install


def in_epoch(number: int, training: FakeTraining) -> Callable[[pytest.MonkeyPatch], None]:
    def install(patch: pytest.MonkeyPatch) -> None:
        def stop(recipe: Any, epoch: int) -> None:
            if recipe.teacher and epoch == number:
                raise KeyboardInterrupt

        patch.setattr(training, "before_epoch", stop)

    return install


def tried(found: RowStudy) -> list[tuple[object, ...]]:
    study = optuna.load_study(
        study_name=found.name, storage=f"sqlite:///{found.workspace.results}/studies.db"
    )
    return [
        (trial.number, trial.state.name, trial.params, trial.values, trial.intermediate_values)
        for trial in study.trials
    ]


@pytest.mark.parametrize("pruned", [False, True])
def test_an_interrupted_study_is_an_uninterrupted_one(
    study: MakeStudy, training: FakeTraining, laptop: Path, monkeypatch: pytest.MonkeyPatch, pruned: bool
) -> None:
    training.metrics = lambda recipe: {"multiply_adds": 1e9 * (1 - accuracy(recipe) ** 2 / 2)}
    other = {"prunes": True} if pruned else {"space": "pareto", "method": None, "row": "Student"}
    whole, parts = study(trials=7, **other), partial(study, trials=7, results=laptop, **other)
    whole.run(training)
    moments = [
        in_epoch(1, training),
        in_epoch(3, training),
        dies(optuna.study.Study, "tell", 1),
        dies(optuna.study.Study, "tell", 1, after=True),
        dies(optuna.study.Study, "ask", 1, after=True),
        dies(optuna.trial.Trial, "suggest_float", 2),
        dies(TrackedTrial, "close", 1),
        dies(optuna.trial.Trial, "should_prune" if pruned else "set_user_attr", 4),
        dies(RowStudy, "_tuned", 1),
    ]
    for moment in moments:
        with monkeypatch.context() as patch, pytest.raises((Killed, KeyboardInterrupt)):
            moment(patch)
            parts().run(training)
    parts().run(training)
    assert tried(parts()) == tried(whole)
    states = {line[1] for line in tried(whole)}
    assert states == ({"COMPLETE", "PRUNED"} if pruned else {"COMPLETE"})
    assert {run.data.tags.get("cdd.trial_state") for run in open_runs(parts())} <= {
        None,
        "complete",
        "pruned",
    }


def test_a_decision_to_prune_survives_an_interruption(
    study: MakeStudy, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna.trial.Trial.should_prune", lambda trial: trial.number == 1)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        dies(optuna.study.Study, "tell", 2)(patch)
        study(trials=2, prunes=True).run(training)
    monkeypatch.setattr("optuna.trial.Trial.should_prune", lambda trial: False)
    begun = len(training.epochs)
    study(trials=2, prunes=True).run(training)
    assert [line[1] for line in tried(study())] == ["COMPLETE", "PRUNED"]
    assert len(training.epochs) == begun


def test_a_trial_goes_on_though_its_run_was_deleted_in_mlflow(
    study: MakeStudy, training: FakeTraining, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        in_epoch(2, training)(patch)
        study(trials=1).run(training)
    before = open_runs(study())
    for run in before:
        store.client.delete_run(run.info.run_id)
    study(trials=1).run(training)
    kinds = {run.data.tags["cdd.kind"]: run.info.status for run in open_runs(study())}
    assert kinds == {"invocation": "FINISHED", "trial": "FINISHED", "training": "FINISHED"}


def test_a_trial_that_another_process_holds_is_waited_for_and_said(
    study: MakeStudy, training: FakeTraining, listener: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        in_epoch(2, training)(patch)
        study(trials=1).run(training)
    holder = FileStudyLock(study().workspace.results / "studies.db.locks" / f"{study().name}-0.lock")
    assert holder.taken()

    def pause(seconds: float) -> None:
        holder.release()

    monkeypatch.setattr("reproduce.studies.study.time.sleep", pause)
    study(trials=1).run(training)
    assert "The last trials of" in listener.warnings[-1] or "Another process works" in listener.warnings[-1]
    assert [line[1] for line in tried(study())] == ["COMPLETE"]


def test_a_turn_is_waited_for_in_steps_and_said_after_some_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_lock, "SECONDS_IN_SILENCE", 0.2)
    first, second, said = FileStudyLock(tmp_path / "a"), FileStudyLock(tmp_path / "a"), []
    first.acquire()

    def waits() -> None:
        said.append("waits")
        first.release()

    second.acquire(waits)
    assert said == ["waits"]
    second.release()
