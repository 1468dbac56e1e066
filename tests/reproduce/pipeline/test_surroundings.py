"""Where the store is, which code runs, and what the results folder holds."""

import errno
import logging
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.util import CommandError
from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError
from yaml import YAMLError

from reproduce.cli import doctor
from reproduce.errors import StoreError, UsageError
from reproduce.storage import provenance
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking import connection, database


def test_the_store_is_a_file_beside_the_results_unless_the_user_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connection.tracking_uri(tmp_path) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere:5000")
    assert connection.tracking_uri(tmp_path) == "http://somewhere:5000"


@pytest.mark.parametrize(
    ("uri", "database"),
    [
        ("sqlite:////a/b.db", True),
        ("postgresql://host/name", True),
        ("http://host", False),
        ("https://h", False),
        ("mysql+pymysql://host/name", True),
        ("file:///a/mlruns", False),
    ],
)
def test_a_server_keeps_files_in_its_own_place(tmp_path: Path, uri: str, database: bool) -> None:
    assert connection.is_database(uri) is database
    wanted = (tmp_path.resolve() / "mlartifacts").as_uri() if database else None
    assert connection.artifact_location(uri, tmp_path) == wanted


def test_only_a_file_that_nobody_made_does_not_exist(tmp_path: Path) -> None:
    assert not connection.exists(f"sqlite:///{tmp_path}/mlflow.db")
    assert connection.exists("http://somewhere")
    (tmp_path / "mlflow.db").write_text("")
    assert connection.exists(f"sqlite:///{tmp_path}/mlflow.db")


def test_settings_of_the_user_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in connection.DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    connection.prepare()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert logging.getLogger("alembic").level == logging.ERROR


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MlflowException("Max retries exceeded: Connection refused"), "does not answer: connection refused."),
        (MlflowException("(Caused by too many 503 error responses)"), "too many 503 error responses."),
        (MlflowException("403: 'Invalid Host header'"), "mlflow server takes as --allowed-hosts NAME:PORT."),
        (OSError("disk is gone\nsecond line"), "does not answer: disk is gone."),
        (OSError(), "does not answer: OSError."),
        (OSError(errno.ENOSPC, "No space left on device"), "written: no space left on device. Make room"),
        (MlflowException("(sqlite3.OperationalError) database is locked"), "Another process writes to it"),
        (CommandError("Can't locate revision identified by 'ff'"), "pip install --upgrade mlflow"),
        (ParseError("Failed to parse experiments"), "does not answer: Failed to parse experiments."),
        (OperationalError("SELECT", {}, Exception("no such column: x")), "no such column: x"),
        (sqlite3.DatabaseError("database disk image is malformed"), "Move the file away"),
        (YAMLError("while parsing"), "does not answer: while parsing."),
        (ValueError("Invalid IPv6 URL"), "an address that MLflow does not know: invalid ipv6."),
        (ModuleNotFoundError("No module named 'pyodbc'"), "needs a driver: No module named 'pyodbc'."),
        (Exception("'mlruns' does not exist."), "does not answer: 'mlruns' does not exist."),
        (Exception(), "does not answer: it says nothing."),
    ],
)
def test_every_failure_of_a_store_is_one_line_with_advice(error: Exception, text: str) -> None:
    with (
        pytest.raises(StoreError, match="^the tracking store uri ") as caught,
        connection.store_errors("uri"),
    ):
        raise error
    assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:s:e%40cret@host:5432/base", "postgresql://me:***@host:5432/base"),
        ("http://me:secret@host:5000", "http://me:***@host:5000"),
        ("postgresql://me@host/base", "postgresql://me@host/base"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_an_address_is_shown_without_its_password(uri: str, shown: str) -> None:
    assert connection.redacted(uri) == shown
    with pytest.raises(StoreError) as caught, connection.store_errors(uri):
        raise OSError("gone")
    assert f"the tracking store {shown} does" in str(caught.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"needs a driver: .*psycopg.*pip install '\.\[cluster\]'"):
        database.check_database("postgresql://me@127.0.0.1/base")


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), connection.store_errors("uri"):
        raise KeyError("a mistake")


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_code_outside_a_work_tree_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.code_version() == provenance.CodeVersion("unknown", dirty=True)


def test_code_without_git_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.code_version().commit == "unknown"


def test_the_doctor_counts_and_names_every_changed_file(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"results/reference/mini/tables/table{number}.md" for number in range(1, 5))
    monkeypatch.setattr(
        "reproduce.cli.doctor.code_version", lambda: provenance.CodeVersion("0123456789abcdef", False, names)
    )
    found = doctor._git()
    assert found.startswith("0123456789, 4 changed files of the reference alone: results/reference/")
    assert found.endswith("table3.md, ...")


def test_code_is_dirty_where_anything_but_results_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    git(tmp_path, "init")
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    assert len(provenance.code_version().commit) == 40
    assert provenance.code_version().dirty is False
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.md").write_text("new")
    assert provenance.code_version().dirty is False
    (tmp_path / "code.py").write_text("2")
    assert provenance.code_version().dirty is True


def test_a_library_that_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("torch", "no-such-library"))
    found = provenance.versions()
    assert found["no-such-library"] == "missing"
    assert found["torch"][0].isdigit()


def test_results_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "results"):
        with pytest.raises(UsageError, match=r"cannot be written .*name another with --results"):
            ResultsFolder(folder).check_writable()
    ResultsFolder(tmp_path / "new" / "results").check_writable()
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_what_is_set_aside_is_numbered_and_kept(tmp_path: Path) -> None:
    workspace = ResultsFolder(tmp_path)
    assert workspace.set_aside("run") is None
    for number in (1, 2):
        workspace.folder("run").mkdir(parents=True)
        assert not workspace.has_files("run")
        (workspace.folder("run") / "epoch_0001.ckpt").write_text(str(number))
        assert workspace.has_files("run")
        assert workspace.set_aside("run") == workspace.checkpoints / "superseded" / f"run-{number}"
    assert (workspace.checkpoints / "superseded" / "run-1" / "epoch_0001.ckpt").read_text() == "1"


def test_workplaces_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    assert ResultsFolder(tmp_path / "a").name == ResultsFolder(tmp_path / "a").name
    assert ResultsFolder(tmp_path / "a").name != ResultsFolder(tmp_path / "b").name


def test_scales_and_overrides_have_folders_of_their_own(tmp_path: Path) -> None:
    workspace = ResultsFolder(tmp_path)
    assert workspace.scale_folder("mini") == tmp_path / "mini"
    assert workspace.scale_folder("mini", "abcd") == tmp_path / "mini" / "overridden" / "abcd"
