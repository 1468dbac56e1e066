"""MLflow's own pages: on this machine only, on a port that is free, for a store that there is."""

import errno
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reproduce.errors import UsageError
from reproduce.tracking import pages
from reproduce.tracking.store import Store
from tests.reproduce.said import Said


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been started."""
    found: list[list[str]] = []

    def record(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        found.append(command)
        return subprocess.CompletedProcess(command, len(found) - 1)

    monkeypatch.setattr(subprocess, "run", record)
    return found


def test_ui_serves_the_same_store_on_this_machine_only_and_says_where_each_experiment_is(
    results: Path, store: Store, commands: list[list[str]]
) -> None:
    made = store.experiment("tiny-mini")
    said = Said("ui", "--port", "5001", "--results", results)
    assert said.code == 0, said.err
    assert f"tiny-mini: http://127.0.0.1:5001/#/experiments/{made}" in said.out.splitlines()
    assert "Default" not in said.out
    command = commands[0]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{results / 'mlflow.db'}"
    assert Said("ui", "--port", "5001", "--results", results).code == 1


def test_a_server_is_named_before_it_is_asked(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said = Said("ui")
    assert "open http://127.0.0.1:9" in said.out
    assert said.code == 1
    assert "connection refused" in said.err
    assert commands == []


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_no_machine_has_is_wrong_usage(
    results: Path, commands: list[list[str]], port: str
) -> None:
    assert Said("ui", "--port", port, "--results", results).code == 2
    assert commands == []


def test_a_port_that_is_taken_is_said_with_a_free_one(results: Path, commands: list[list[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = Said("ui", "--port", str(port), "--results", results)
    assert said.code == 2
    assert f"--port {port} is taken by another process: give another, such as --port " in said.err
    assert said.out == ""
    assert commands == []


def test_a_port_of_the_system_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(port: int) -> int:
        if port:
            raise OSError(errno.EACCES, "Permission denied")
        return 5002

    monkeypatch.setattr(pages, "_bind", bind)
    with pytest.raises(
        UsageError, match="--port 80 is for the system alone: give another, such as --port 5002"
    ):
        pages.check_port(80)


@pytest.mark.parametrize("make", [Path.mkdir, lambda folder: None], ids=["empty", "missing"])
def test_a_folder_without_a_store_is_refused_and_left_alone(
    tmp_path: Path, commands: list[list[str]], make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "typo"
    make(folder)
    before = list(tmp_path.rglob("*"))
    said = Said("ui", "--port", "5003", "--results", folder)
    assert said.code == 2
    assert f"there is no store yet at sqlite:///{folder}/mlflow.db" in said.err
    assert list(tmp_path.rglob("*")) == before
    assert commands == []
