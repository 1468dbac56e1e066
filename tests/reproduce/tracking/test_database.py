"""What each store that MLflow cannot use is called, and what to do; a new one is never seen half made."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from reproduce.errors import StoreError
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking import connection, database
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE
from tests.reproduce.said import Said

OLDER = "451aebb31d03"
"""MLflow's second migration."""
RUN = (
    "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, experiment_id) "
    "VALUES ('a', 'b', 'FINISHED', 'active', 0)"
)
CUT_OFF = "CREATE TABLE _alembic_tmp_metrics (key TEXT)"


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def opened(folder: Path) -> Store:
    return Store(connection.tracking_uri(folder), ResultsFolder(folder.resolve()), CODE)


def revision(number: str) -> str:
    return f"UPDATE alembic_version SET version_num = '{number}'"


def older(path: Path) -> None:
    change(path, revision(OLDER))


def older_with_fewer_tables(path: Path) -> None:
    change(path, revision(OLDER), "DROP TABLE logged_models")


def newer(path: Path) -> None:
    change(path, revision("ffffffffffff"))


def foreign(path: Path) -> None:
    path.unlink()
    change(path, "CREATE TABLE recipes (flour REAL)")


def no_database(path: Path) -> None:
    path.write_text("a shopping list, " * 100)


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : len(content) // 2] = bytes(len(content) // 2 - 4096)
    path.write_bytes(content)


def upgrade_cut_off(path: Path) -> None:
    change(path, RUN, CUT_OFF, revision(OLDER))


BAD: dict[Callable[[Path], None], str] = {
    older: "mlflow db upgrade 'sqlite:",
    older_with_fewer_tables: "mlflow db upgrade 'sqlite:",
    newer: "pip install --upgrade mlflow",
    foreign: "a database of something else (it has the tables recipes)",
    no_database: "cannot be read: file is not a database. Move the file away",
    upgrade_cut_off: "an upgrade that was cut off: put back the copy",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_database_that_mlflow_cannot_use_is_named_with_what_to_do_and_kept(
    results: Path, spoil: Callable[[Path], None]
) -> None:
    path = results / "mlflow.db"
    spoil(path)
    before = path.read_bytes()
    for words in (["plan", "figure1"], ["doctor"], ["table1", "--device", "cpu"]):
        said = Said(*words, "--results", results)
        text = said.out if words == ["doctor"] else said.err
        assert said.code == 1, said.out
        (line,) = [line for line in text.splitlines() if str(path) in line and "writable" not in line]
        assert line.startswith("FAIL  tracking store" if words == ["doctor"] else "Error: the tracking store")
        assert BAD[spoil] in line
        assert "start the server" not in line.lower()
    assert path.read_bytes() == before


def test_a_damaged_database_is_one_error(results: Path) -> None:
    damaged(results / "mlflow.db")
    with pytest.raises(StoreError, match=r"mlflow\.db .*Move the file away"):
        opened(results).trainings()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("./mlruns", "mlflow migrate-filestore --source './mlruns'"),
        ("file:///nowhere/mlruns", "mlflow migrate-filestore"),
        (
            "foo://bar",
            "an address that MLflow does not know: unsupported uri. Give MLFLOW_TRACKING_URI one",
        ),
        ("postgres://me:secret@host/base", "does not know"),
        ("sqlite:x.db", "does not know"),
        ("sqlite+nothing:///x.db", "does not know"),
        ("http://[::1", "does not know"),
        ("http://bad host:1", "does not know"),
        ("postgresql://me@host:port/base", "does not know"),
        ("sqlite://", "is lost as the command ends"),
        ("sqlite:///:memory:", "is lost as the command ends"),
        ("mssql://host/base", "needs a driver"),
        ("databricks", "does not answer"),
        ("uc:http://host", "does not answer"),
    ],
)
def test_an_address_that_mlflow_does_not_know_is_one_line(
    results: Path, monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    said = Said("plan", "figure1", "--results", results)
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert words in line
    assert "secret" not in line
    assert list(results.iterdir()) == [results / "mlflow.db"]


@pytest.mark.parametrize("address", ["./mlruns", "foo://bar"])
def test_doctor_and_export_name_such_an_address(
    results: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    said = Said("export-run", "0" * 12, "--results", results)
    assert said.code == 1
    assert f"the tracking store {address} " in said.err
    checks = json.loads(Said("doctor", "--format", "json", "--results", results).out)
    (check,) = [check for check in checks if check["name"] == "tracking store"]
    assert not check["ok"]
    assert f"the tracking store {address} " in check["detail"]


def test_a_file_that_cannot_be_written_is_not_called_a_server(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.db").mkdir()
    for name in ("file/mlflow.db", "folder.db"):
        with pytest.raises(StoreError, match=r"cannot be written: .*Make the file and its folder writable"):
            database.check_database(f"sqlite:///{tmp_path}/{name}")


def test_a_locked_store_is_waited_for_and_then_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCKED_SECONDS", 0.3)
    with closing(sqlite3.connect(results / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"database is locked\. Another process writes to it"):
            opened(results)
        other.rollback()
    opened(results)


def half_made(path: Path) -> None:
    """As a kill in the middle of the first migration leaves it."""
    change(path, "DELETE FROM experiments", CUT_OFF, revision(OLDER), "DROP TABLE logged_models")


def half_made_with_mlflows_experiment(path: Path) -> None:
    change(path, CUT_OFF, revision(OLDER))


def without_revision(path: Path) -> None:
    change(path, "DROP TABLE alembic_version", "DELETE FROM experiments")


def between_two_names(path: Path) -> None:
    change(path, "ALTER TABLE experiments RENAME TO _alembic_tmp_experiments", revision(OLDER))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, empty_database: Path) -> None:
    """Takes tables from a store that is made already; MLflow needs seconds for them."""

    class Made:
        engine = type("Engine", (), {"dispose": staticmethod(lambda: None)})

        def __init__(self, uri: str, artifacts: str):
            shutil.copy(empty_database, uri.removeprefix("sqlite:///"))

    monkeypatch.setattr("reproduce.tracking.database.SqlAlchemyStore", Made)


@pytest.mark.parametrize(
    "spoil", [half_made, half_made_with_mlflows_experiment, without_revision, between_two_names, empty]
)
def test_an_unused_database_whose_first_migration_was_cut_off_is_made_anew(
    results: Path, quick: None, spoil: Callable[[Path], None]
) -> None:
    path = results / "mlflow.db"
    spoil(path)
    path.with_name("mlflow.db.making").mkdir()
    before = path.read_bytes()
    database.check_database(connection.tracking_uri(results))
    assert database.contents(connection.tracking_uri(results)).revision != OLDER
    assert (results / "mlflow.db.half-made-1").read_bytes() == before
    assert not (results / "mlflow.db.making").exists()


def test_a_database_that_is_killed_in_the_making_is_never_at_its_place(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*names: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        database.check_database(f"sqlite:///{tmp_path}/mlflow.db")
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.undo()


def test_a_new_database_is_made_beside_its_place(tmp_path: Path) -> None:
    opened(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"mlflow.db", "mlflow.db.lock"}


def test_another_process_that_makes_the_store_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MAKING_SECONDS", 0.1)
    with (
        FileLock(tmp_path / "mlflow.db.lock"),
        pytest.raises(StoreError, match="in the making by another process"),
    ):
        database.check_database(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_deleted_experiment_is_named_with_how_to_restore_it(store: Store) -> None:
    made = store.experiment("tiny-mini")
    store.client.delete_experiment(made)
    words = rf"tiny-mini was deleted .* mlflow experiments restore --experiment-id {made};"
    with pytest.raises(StoreError, match=words) as caught:
        store.experiment("tiny-mini")
    assert "server" not in str(caught.value)
    store.client.restore_experiment(made)
    assert store.experiment("tiny-mini") == made


@pytest.mark.parametrize(
    ("key", "value"),
    [("cdd.environment", "{"), ("cdd.environment", "3"), ("end", 2**62)],
)
def test_a_training_that_somebody_changed_is_named(store: Store, key: str, value: object) -> None:
    run_id = store.client.create_run(store.experiment("a"), tags={"cdd.kind": "training"}).info.run_id
    if key == "end":
        store.client.set_terminated(run_id, end_time=value)  # type: ignore[arg-type]
    else:
        store.client.set_tag(run_id, key, value)
    with pytest.raises(StoreError, match=f"{run_id} of the tracking store was changed .*runs delete"):
        store.trainings()
    store.client.delete_run(run_id)
    assert store.trainings() == {}
