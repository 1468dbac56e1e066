"""A PostgreSQL and an MLflow server of the tests' own, on free ports of this machine."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

DEBIANS = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "postgres")
SECONDS = 600
"""A server may take to start on a busy machine, most of it for imports."""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: on the path, else the newest of Debian's."""
    found = shutil.which(PROGRAMS[0])
    newest = sorted(DEBIANS.glob("[0-9]*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    folders = [*([Path(found).resolve().parent] if found else []), *newest]
    return next((folder for folder in folders if all((folder / name).exists() for name in PROGRAMS)), None)


def unprivileged() -> pwd.struct_passwd | None:
    """Who runs PostgreSQL, which refuses root; None for who runs the tests."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class PostgreSQL:
    """A running server, with one user that needs a password."""

    def __init__(self, folder: Path, port: int, password: str):
        self.folder, self.port, self.password = folder, port, password

    def url(self, database: str) -> str:
        return f"postgresql://cdd:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Makes an empty database; returns its address."""

        engine = sqlalchemy.create_engine(
            self.url("postgres"), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE {database}"))
        return self.url(database)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Starts a new one; skips the test where its programs or its driver are missing."""
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed: Debian's package is called postgresql")
    if not importlib.util.find_spec("psycopg"):
        pytest.skip("PostgreSQL's driver is not installed: pip install -e '.[cluster]'")
    # Not in pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder, user, password = Path(name), unprivileged(), secrets.token_hex(8)
        (folder / "password").write_text(password)
        if user:
            for path in (folder, folder / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        found = PostgreSQL(folder, free_port(), password)
        with _running(where, found, user):
            yield found


@contextmanager
def _running(where: Path, server: PostgreSQL, user: pwd.struct_passwd | None) -> Iterator[None]:
    folder, log = server.folder, server.folder / "log"
    make = ["--username=cdd", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
    make += ["--encoding=UTF8", "--no-locale"]
    settings = [f"port={server.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]

    def start(program: str, *words: str) -> "subprocess.Popen[bytes]":
        with log.open("a") as said:
            return subprocess.Popen(
                [str(where / program), "-D", str(folder / "data"), *words],
                cwd=folder,
                stdout=said,
                stderr=said,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )

    assert start("initdb", *make).wait(SECONDS) == 0, log.read_text()
    process = start("postgres", *(word for each in settings for word in ("-c", each)))
    try:
        wait_for(server.port, process, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # Ends its connections, too.
        process.wait(60)


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns when something listens on the port."""
    until = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@contextmanager
def mlflow_server(database: str, folder: Path) -> Iterator[str]:
    """Starts MLflow's server on a database; files go to the folder. Yields its address."""
    port = free_port()
    where = ["--backend-store-uri", database, "--artifacts-destination", str(folder / "files")]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *where, "--port", str(port), "--workers", "1"],
            cwd=folder,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(port, process, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
