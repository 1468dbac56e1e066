"""Studies of weights: what a trial is, that no trial sees a test identity, how a study goes on."""

from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from cdd.methods.quest.quest import QuEST
from cdd.recipe import Recipe
from experiments.quest import transfer
from experiments.schema.table import Table
from reproduce.errors import StoreError, UsageError
from reproduce.planning.overrides import parse
from reproduce.studies.storage import storage_errors
from reproduce.studies.study import RowStudy
from reproduce.studies.target import StudyRequest
from reproduce.studies.trials import progress
from reproduce.tracking.store import KILLED
from tests.reproduce.fakes import FakeTraining, Recorder, accuracy
from tests.reproduce.row_studies import MakeStudy, open_runs


def chain(recipe: Recipe) -> list[Recipe]:
    return [recipe, *(link for before in recipe.dependencies for link in chain(before))]


def test_no_run_of_a_trial_sees_a_test_identity(study: MakeStudy) -> None:
    recipe = study().trial_recipe({"tap_weight": 0.1})
    assert len(chain(recipe)) == 2
    assert {link.data.use for link in chain(recipe)} == {"tuning"}


def test_no_trial_of_any_row_of_the_tables_sees_a_test_identity() -> None:
    for method in ("rkd", "dkd", "vid", "capacitydynamic"):
        found = RowStudy(StudyRequest(space="weight", artifact="table3", method=method, trials=1), Recorder())
        recipe = found.trial_recipe(found.space.defaults)
        assert {link.data.use for link in chain(recipe)} == {"tuning", "pretraining"}


def test_a_trial_is_the_row_with_other_weights_alone(study: MakeStudy) -> None:
    found = study()
    recipe = found.trial_recipe({"tap_weight": 0.125})
    (row,) = parse(["data.use=tuning"]).apply([found.recipe])
    method = row.method.model_copy(update={"tap_weight": 0.125})
    assert recipe == row.model_copy(update={"method": method})


def test_the_first_trial_has_the_default_weights_and_the_best_comes_out(
    study: MakeStudy, training: FakeTraining
) -> None:
    found = study(trials=4)
    tuned = found.run(training)
    lines = tuned.sheet.numbers.to_dict("records")
    assert lines[0]["tap_weight"] == 0.5
    for line in lines:
        recipe = found.trial_recipe({"tap_weight": line["tap_weight"]})
        assert (line["run_id"], line["mAP"]) == (recipe.run_id, pytest.approx(accuracy(recipe)))
        assert 0.5 / 30 <= line["tap_weight"] <= 0.5 * 30
        assert line["state"] == "complete"
    best = max(lines, key=lambda line: line["mAP"])
    assert tuned.best == (f"CapacityDynamic.tap_weight={best['tap_weight']:g}",)
    assert f"Best: python -m reproduce tiny --set {tuned.best[0]}" in tuned.sheet.notes


def test_the_best_line_changes_rows_of_this_method_alone(study: MakeStudy) -> None:
    found = study()
    before = found.recipe.teacher
    assert before
    teacher, student = parse(list(found.texts({"tap_weight": 2.0}))).apply([before, found.recipe])
    assert teacher == before
    assert student.method.tap_weight == 2.0  # type: ignore[attr-defined]


def test_the_same_command_trains_only_the_trials_that_are_missing(
    study: MakeStudy, training: FakeTraining
) -> None:
    study(trials=2).run(training)
    before = list(training.begun)
    study(trials=2).run(training)
    assert training.begun == before
    tuned = study(trials=3).run(training)
    assert len(training.begun) == len(before) + 1
    assert len(tuned.sheet.numbers) == 3


def test_a_study_in_two_commands_tries_what_one_command_tries(
    study: MakeStudy, training: FakeTraining, tmp_path: Path
) -> None:
    study(trials=2).run(training)
    parts = study(trials=4).run(training)
    whole = study(trials=4, storage=f"sqlite:///{tmp_path / 'other.db'}").run(training)
    assert parts.sheet.numbers.tap_weight.tolist() == whole.sheet.numbers.tap_weight.tolist()
    assert parts.sheet.numbers.tap_weight.nunique() == 4


def test_an_interrupted_trial_goes_on_from_its_checkpoint(study: MakeStudy, training: FakeTraining) -> None:
    def stop(recipe: Recipe, number: int) -> None:
        if recipe.teacher and number == 3:
            raise KeyboardInterrupt

    training.before_epoch = stop
    with pytest.raises(KeyboardInterrupt):
        study(trials=1).run(training)
    training.before_epoch = lambda recipe, number: None
    study(trials=1).run(training)
    student = training.begun[-1]
    assert training.begun.count(student) == 2
    assert [number for run_id, number in training.epochs if run_id == student] == [1, 2, 3]


def test_other_seeds_and_other_changes_are_other_studies(study: MakeStudy) -> None:
    names = {study(**each).name for each in ({}, {"seed": 1}, {"changes": ["evaluate_every=2"]})}
    assert len(names) == 3


def test_what_every_run_was_given_is_said_and_in_the_best_line(
    study: MakeStudy, training: FakeTraining
) -> None:
    notes = study(trials=1, changes=["evaluate_every=2"]).run(training).sheet.notes
    assert "Every run of the study has evaluate_every=2." in notes
    assert notes[-1].startswith(
        "Best: python -m reproduce tiny --set evaluate_every=2 --set CapacityDynamic."
    )


def test_a_failed_trial_is_recorded_and_the_study_goes_on(study: MakeStudy, training: FakeTraining) -> None:
    def fail(recipe: Recipe, number: int) -> None:
        if recipe.teacher and training.begun.count(recipe.run_id) == 1 and len(training.begun) == 2:
            raise RuntimeError("the loss is not finite")

    training.before_epoch = fail
    states = [line["state"] for line in study(trials=2).run(training).sheet.numbers.to_dict("records")]
    assert states[0] == "fail"
    assert "complete" in states


def test_a_pareto_study_ends_with_trials_that_no_other_trial_beats_in_both(
    study: MakeStudy, training: FakeTraining
) -> None:
    training.metrics = lambda recipe: {"multiply_adds": 1e9 * (1 - accuracy(recipe) ** 2 / 2)}
    found = study(space="pareto", method=None, row="Student", trials=6)
    tuned = found.run(training)
    lines = tuned.sheet.numbers.to_dict("records")
    points = [(line["mAP"], line["multiply_adds"]) for line in lines]
    front = [(a, c) for a, c in points if not any(b >= a and d <= c and (b, d) != (a, c) for b, d in points)]
    shown = [note for note in tuned.sheet.notes if note.startswith(("Best", "On the front"))]
    assert len(shown) == len(front)
    assert {"CapacityDynamic.sparsity", "CapacityDynamic.resetting.ratio"} == {
        text.partition("=")[0] for text in tuned.best
    }
    plots = {path.name.removeprefix(found.name) for path in tuned.files[2:]}
    assert {
        f"-{kind}.{suffix}"
        for kind in ("pareto", "slice-mAP", "slice-FLOPs", "contour-mAP")
        for suffix in ("pdf", "png")
    } <= plots


def test_k_is_tried_as_a_whole_number(study: MakeStudy, training: FakeTraining) -> None:
    found = study(space="k", method=None, row="Student", trials=4)
    tuned = found.run(training)
    tried = [line["resetting.neighbours"] for line in tuned.sheet.numbers.to_dict("records")]
    assert tried[0] == 2
    assert all(value in range(1, 7) for value in tried)


def test_a_trial_that_falls_behind_ends_early_and_can_go_on_later(
    study: MakeStudy, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna.trial.Trial.should_prune", lambda trial: trial.number == 1)
    tuned = study(trials=2, prunes=True).run(training)
    states = [line["state"] for line in tuned.sheet.numbers.to_dict("records")]
    assert states == ["complete", "pruned"]
    run_id = tuned.sheet.numbers.to_dict("records")[1]["run_id"]
    assert [number for own, number in training.epochs if own == run_id] == [1]
    (pruned,) = [run for run in open_runs(study()) if run.data.params.get("run_id") == run_id]
    assert pruned.info.status == KILLED
    assert pruned.data.tags["cdd.message"] == "pruned after epoch 1"


def test_a_study_ends_with_its_plots(study: MakeStudy, training: FakeTraining) -> None:
    tuned = study(trials=3).run(training)
    kinds = {path.stem.removeprefix(study().name + "-") for path in tuned.files if path.suffix == ".pdf"}
    assert {"history", "slice"} <= kinds
    assert all(path.stat().st_size > 1000 for path in tuned.files if path.suffix == ".pdf")


def test_what_cannot_be_tuned_is_refused_with_what_can(study: MakeStudy) -> None:
    with pytest.raises(UsageError, match="rows of supervised, capacitydynamic"):
        study(method="rkd")
    with pytest.raises(UsageError, match="Supervised has no weight"):
        study(method="supervised")
    with pytest.raises(UsageError, match="has the rows Teacher, Student"):
        study(space="p", method=None, row="Nobody")
    with pytest.raises(UsageError, match="has no such setting"):
        study(space="alpha", method=None, row="Teacher")
    with pytest.raises(UsageError, match="--storage nonsense"):
        study(storage="nonsense").run(lambda *arguments, **named: None)  # type: ignore[arg-type]


def test_a_study_does_not_go_into_mlflows_database(study: MakeStudy, results: Path) -> None:
    with pytest.raises(UsageError, match="is MLflow's database: studies need one of their own"):
        study(storage=f"sqlite:///{results / 'mlflow.db'}").run(lambda *arguments, **named: None)  # type: ignore[arg-type]


def test_a_storage_that_fails_later_is_said_without_its_password() -> None:
    with (
        pytest.raises(StoreError, match=r"//me:\*\*\*@host/base does not answer: gone\. .*is kept") as caught,
        storage_errors("postgresql://me:secret@host/base"),
    ):
        raise StorageInternalError("wrapped") from OSError("gone\nand more")
    assert "secret" not in str(caught.value)


def test_a_failed_trial_is_over_and_one_that_died_is_not() -> None:
    found = optuna.create_study()
    for state, attributes in (
        (TrialState.COMPLETE, {}),
        (TrialState.PRUNED, {}),
        (TrialState.FAIL, {"failure": "the loss is not finite"}),
        (TrialState.FAIL, {}),
        (TrialState.RUNNING, {}),
        (TrialState.WAITING, {}),
    ):
        value = 1.0 if state == TrialState.COMPLETE else None
        found.add_trial(optuna.create_trial(state=state, value=value, user_attrs=attributes))
    assert progress(found.get_trials()) == (3, 1)


def test_a_figure_has_no_row_to_tune() -> None:
    with pytest.raises(UsageError, match="figure1 is a figure"):
        RowStudy(StudyRequest(space="weight", artifact="figure1", method="rkd", trials=1), Recorder())


def test_a_study_of_classification_keeps_off_the_test_images_and_raises_top_1(
    study: MakeStudy, tables: dict[str, Table]
) -> None:
    tables["quest-transfer"] = transfer.TABLE
    found = study(artifact="quest-transfer", method="quest")
    recipe = found.trial_recipe({"weight": 5.0})
    assert {link.data.use for link in chain(recipe)} == {"classification-tuning", "pretraining"}
    assert isinstance(recipe.method, QuEST)
    assert recipe.method.weight == 5.0
    assert found.metrics == ("top1",)
