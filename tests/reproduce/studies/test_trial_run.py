"""A study, its trials and their trainings in the tracking store."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest

from cdd.recipe import Recipe
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.studies.study import RowStudy
from reproduce.tracking.store import FAILED, FINISHED, KILLED, Store
from tests.reproduce.fakes import FakeTraining
from tests.reproduce.row_studies import MakeStudy, open_runs


def test_trials_are_children_of_the_study_in_the_store(
    study: MakeStudy, training: FakeTraining, store: Store
) -> None:
    study(trials=2).run(training)
    name = "study-weight-student-tiny-mini-seed0"
    experiment = store.client.get_experiment_by_name(name)
    assert experiment is not None
    runs = store.client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["cdd.kind"] == "invocation"]
    assert parent.info.status == FINISHED
    first, second = trials_of(runs)
    assert {run.data.tags["mlflow.parentRunId"] for run in (first, second)} == {parent.info.run_id}
    trainings = [run for run in runs if run.data.tags["cdd.kind"] == "training"]
    above = [run.data.tags["mlflow.parentRunId"] for run in trainings]
    # The first trial trained the teacher as well.
    assert sorted(above) == sorted([first.info.run_id] * 2 + [second.info.run_id])


def trials_of(runs: list[Any]) -> list[Any]:
    found = [run for run in runs if run.data.tags["cdd.kind"] == "trial"]
    return sorted(found, key=lambda run: int(run.data.tags["cdd.trial"]))


def optuna_trials(found: RowStudy) -> list[Any]:
    storage = f"sqlite:///{found.workspace.results / 'studies.db'}"
    return list(optuna.load_study(study_name=found.name, storage=storage).trials)


def test_a_trial_and_its_training_point_at_each_other(study: MakeStudy, training: FakeTraining) -> None:
    study(trials=2).run(training)
    runs = {run.info.run_id: run for run in open_runs(study())}
    for trial in optuna_trials(study()):
        own, trained = (runs[trial.user_attrs[name]] for name in ("mlflow_trial", "mlflow_run"))
        assert own.data.tags["cdd.trial"] == str(trial.number)
        assert own.data.tags["cdd.training"] == trained.info.run_id
        assert own.data.params["tap_weight"] == f"{trial.user_attrs['settings']['tap_weight']:g}"
        assert own.data.metrics["camera_rule/mAP"] == pytest.approx(trial.values[0])
        assert trained.data.tags["cdd.run_id"] == trial.user_attrs["run_id"]
        assert trained.data.tags[f"cdd.trial.{study().name}"] == str(trial.number)


def test_the_store_knows_how_each_trial_ended(
    study: MakeStudy, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(recipe: Recipe, number: int) -> None:
        if recipe.teacher and len(training.begun) == 3:
            raise RuntimeError("the loss is not finite")

    training.before_epoch = fail
    monkeypatch.setattr("optuna.trial.Trial.should_prune", lambda trial: trial.number == 2)
    study(trials=3, prunes=True).run(training)
    ended = [(run.data.tags["cdd.trial_state"], run.info.status) for run in trials_of(open_runs(study()))]
    assert ended == [("complete", FINISHED), ("fail", FAILED), ("pruned", KILLED)]


def test_an_interrupted_trial_goes_on_in_its_own_run(study: MakeStudy, training: FakeTraining) -> None:
    def stop(recipe: Recipe, number: int) -> None:
        if recipe.teacher and number == 2:
            raise KeyboardInterrupt

    training.before_epoch = stop
    with pytest.raises(KeyboardInterrupt):
        study(trials=1).run(training)
    (before,) = trials_of(open_runs(study()))
    assert (before.data.tags["cdd.trial_state"], before.info.status) == ("interrupted", KILLED)
    training.before_epoch = lambda recipe, number: None
    study(trials=1).run(training)
    (after,) = trials_of(open_runs(study()))
    assert after.info.run_id == before.info.run_id
    assert (after.data.tags["cdd.trial_state"], after.info.status) == ("complete", FINISHED)


def test_a_trial_reuses_a_tables_run_and_a_table_reuses_a_trials(
    study: MakeStudy, training: FakeTraining, session: Callable[..., ArtifactPipeline]
) -> None:
    session("tiny", changes=["data.use=tuning"]).run(training)
    own = list(training.begun)
    assert len(own) == 2
    found = study(trials=1).run(training)
    assert training.begun == own
    study(trials=2).run(training)
    assert len(training.begun) == 3
    tried = study(trials=2).run(training).sheet.numbers.tap_weight.tolist()[1]
    session("tiny", changes=["data.use=tuning", f"CapacityDynamic.tap_weight={tried:g}"]).run(training)
    assert len(training.begun) == 3
    assert found.sheet.numbers.state.tolist() == ["complete"]
