"""What somebody else has put into a study, or into the place of the studies' database."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from reproduce.errors import StoreError, UsageError
from reproduce.studies import storage
from reproduce.studies.study import RowStudy
from reproduce.tracking.store import Store
from tests.reproduce.fakes import FakeTraining, Recorder
from tests.reproduce.row_studies import MakeStudy
from tests.reproduce.said import Said

OURS = FloatDistribution(0.5 / 30, 0.5 * 30, log=True)


@pytest.fixture(autouse=True)
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproduce.studies.report.plots", lambda *arguments: {})


def database(found: RowStudy) -> str:
    return f"sqlite:///{found.workspace.results}/studies.db"


def made(found: RowStudy, **values: Any) -> optuna.Study:
    return optuna.create_study(
        study_name=found.name, storage=database(found), **{"direction": "maximize", **values}
    )


def never(*arguments: object, **named: object) -> Any:
    raise AssertionError("no training was to begin")


FOREIGN = {
    "without attributes": create_trial(
        params={"tap_weight": 0.3}, distributions={"tap_weight": OURS}, value=0.9
    ),
    "other parameters": create_trial(
        params={"lr": 1.0}, distributions={"lr": FloatDistribution(0, 2)}, value=0.9
    ),
    "no parameters": create_trial(value=0.9),
    "other range": create_trial(
        params={"tap_weight": 90.0},
        distributions={"tap_weight": FloatDistribution(1, 99, log=True)},
        value=2.0,
    ),
    "other attributes": create_trial(
        params={"tap_weight": 0.3},
        distributions={"tap_weight": OURS},
        value=0.9,
        user_attrs={"settings": [1], "run_id": 7},
    ),
    "settings without numbers": create_trial(
        value=0.9, user_attrs={"settings": {"tap_weight": "much"}, "run_id": "0123"}
    ),
    "pruned": create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.9}),
    "running": create_trial(
        state=TrialState.RUNNING, params={"lr": 1.0}, distributions={"lr": FloatDistribution(0, 2)}
    ),
    "waiting": create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": {"lr": 1.0}}),
    "waiting out of range": create_trial(
        state=TrialState.WAITING, system_attrs={"fixed_params": {"tap_weight": -1.0}}
    ),
    "waiting for a list": create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": [1.0]}),
    "waiting without sense": create_trial(
        state=TrialState.WAITING, system_attrs={"fixed_params": {"tap_weight": "much"}}
    ),
}


def test_foreign_trials_are_named_and_left_out(
    study: MakeStudy, training: FakeTraining, listener: Recorder
) -> None:
    study(trials=1).run(training)
    found = optuna.load_study(study_name=study().name, storage=database(study()))
    for trial in FOREIGN.values():
        found.add_trial(trial)
    tuned = study(trials=2).run(training)
    names = ", ".join(str(number + 2) for number in range(len(FOREIGN)))
    words = f"Left out, because they have other settings than this study: trial {names}."
    assert listener.warnings == [words]
    assert words in tuned.sheet.notes
    lines = tuned.sheet.numbers.to_dict("records")
    assert [line["trial"] for line in lines] == [1, len(FOREIGN) + 2]
    assert {line["state"] for line in lines} == {"complete"}
    assert study(trials=2).run(never).sheet.numbers.equals(tuned.sheet.numbers)


def test_a_trial_that_is_enqueued_by_hand_with_the_studys_settings_is_tried(
    study: MakeStudy, training: FakeTraining
) -> None:
    study(trials=1).run(training)
    found = optuna.load_study(study_name=study().name, storage=database(study()))
    found.enqueue_trial({"tap_weight": 0.75})
    numbers = study(trials=2).run(training).sheet.numbers
    assert numbers.tap_weight.tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    "distribution", [IntDistribution(1, 9), CategoricalDistribution([1.0, 2.0]), FloatDistribution(1, 9)]
)
def test_a_study_that_keeps_another_kind_of_the_setting_is_refused_before_any_work(
    study: MakeStudy, distribution: Any
) -> None:
    trial = create_trial(params={"tap_weight": 1}, distributions={"tap_weight": distribution}, value=0.5)
    made(study()).add_trial(trial)
    with pytest.raises(
        UsageError, match=r"trial 1 of the study .* has tap_weight as .*give another --storage"
    ):
        study().run(never)


def test_a_study_that_is_after_something_else_is_refused(study: MakeStudy) -> None:
    made(study(), direction="minimize")
    with pytest.raises(UsageError, match=r"is after \['minimize'\], not \['maximize'\]"):
        study().run(never)


def change(*statements: str) -> Any:
    def spoil(path: Path) -> None:
        optuna.create_study(storage=f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return spoil


BAD: dict[str, tuple[Any, str]] = {
    "no database": (lambda path: path.write_text("words " * 300), "is not a database. Move the file away"),
    "folder": (Path.mkdir, "unable to open database file. Make its folder writable"),
    "older": (change("UPDATE alembic_version SET version_num = 'v0.9.0.a'"), "optuna storage upgrade"),
    "newer": (change("UPDATE alembic_version SET version_num = 'v99'"), "updating optuna"),
    "no such column": (change("ALTER TABLE trials DROP COLUMN state"), "the study's storage "),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_studies_database_that_cannot_be_used_is_one_line(study: MakeStudy, kind: str) -> None:
    spoil, words = BAD[kind]
    path = study().workspace.results / "studies.db"
    spoil(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(StoreError, match="the study's storage sqlite:") as caught:
        study().run(never)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert before is None or kind == "no such column" or path.read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_alone(study: MakeStudy) -> None:
    path = study().workspace.results / "studies.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (flour REAL)")
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"a database of something else \(it has the tables recipes\)"):
        study().run(never)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/base", "redis://host", "sqlite+no:///x", "a b"]
)
def test_what_studies_cannot_be_kept_in_is_wrong_usage(study: MakeStudy, url: str) -> None:
    with pytest.raises(UsageError, match="Give a URL such as sqlite:///studies.db"):
        study(storage=url).run(never)


@pytest.mark.parametrize(
    ("name", "code"), [("sqlite:///{}/mlflow.db", 2), ("sqlite:///{}/text", 1), ("no", 2)]
)
def test_the_command_line_says_so_in_one_line(results: Path, name: str, code: int) -> None:
    (results / "text").write_text("words " * 300)
    said = Said("study", "p", "--storage", name.format(results), "--results", results, "--device", "cpu")
    assert said.code == code
    (line,) = said.err.splitlines()
    assert line.startswith("Error: ")


def test_tables_that_were_cut_off_in_the_making_are_completed(
    study: MakeStudy, training: FakeTraining
) -> None:
    spoil = change("DROP TABLE alembic_version", "DROP TABLE version_info", "DROP TABLE trial_values")
    spoil(study().workspace.results / "studies.db")
    assert study(trials=1).run(training).best


def test_a_locked_studies_database_is_waited_for_and_then_named(
    study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SECONDS_LOCKED", 0.2)
    made(study())
    with closing(sqlite3.connect(study().workspace.results / "studies.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"database is locked\. Another process writes to it"):
            study().run(never)


def test_a_study_that_is_refused_leaves_no_run(study: MakeStudy, store: Store) -> None:
    made(study(), direction="minimize")
    with pytest.raises(UsageError):
        study().run(never)
    assert store.client.get_experiment_by_name(f"study-{study().name}") is None
