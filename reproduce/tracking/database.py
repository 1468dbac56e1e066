"""Contents of a tracking database before MLflow opens it, and creation of a new one.

MLflow upgrades some older databases without being asked, puts its tables into foreign ones, and never again
opens one whose first migration was cut off: with sqlite, each of its steps stays where it stopped.

Source: MLflow 3.17, tried out.
"""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mlflow
from alembic.script import ScriptDirectory
from filelock import FileLock, Timeout
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import NullPool, create_engine, inspect, text

from reproduce.errors import StoreError
from reproduce.tracking.connection import OF_A_FILE, is_database, redacted, said, sqlite_file, store_errors

LOCKED_SECONDS = 10.0
"""How long somebody else may write to a sqlite file."""
MAKING_SECONDS = 60.0
"""How long another process may take to make one."""
TABLES = ("experiments", "runs")
"""MLflow's; while a step of its migration changes one, that has another name."""
TEMPORARY = "_alembic_tmp_"
FILES_OF_ONE = ("", "-journal", "-wal", "-shm")
"""What sqlite adds to the name of a database."""


@dataclass(frozen=True)
class Contents:
    """What a database has.

    Attributes:
        tables: names, alembic's own table left out.
        revision: of the migration that made them; None before the first.
        experiments: how many there are.
        used: whether it has a run, or an experiment that is not MLflow's own.
    """

    tables: frozenset[str]
    revision: str | None
    experiments: int
    used: bool

    @property
    def is_foreign(self) -> bool:
        """Whether it has tables, and none is MLflow's."""
        names = {table.removeprefix(TEMPORARY) for table in self.tables}
        return bool(names) and not names & set(TABLES)

    @property
    def is_cut_off(self) -> bool:
        """Whether a migration ended in the middle of a step, or before MLflow's first experiment."""
        between = any(table.startswith(TEMPORARY) for table in self.tables)
        begun = bool(self.tables) and not self.is_foreign
        return begun and (self.revision is None or between or not self.experiments)


def check_database(uri: str) -> None:
    """Finds out at once what MLflow would retry for minutes, and makes a sqlite file; asks no server.

    An empty sqlite file whose first migration was cut off is set aside.

    Raises:
        StoreError: if the database does not answer, cannot be written, is locked, has no driver, or holds
            something else than the tables of this MLflow.
    """
    path = sqlite_file(uri)
    if path is not None:
        with store_errors(uri):
            _ensure(uri, path.absolute())
    if not is_database(uri):
        return
    with store_errors(uri):
        found = contents(uri)
    if found.tables:
        _check(uri, found)


def contents(uri: str) -> Contents:
    """What a database that exists has, as any of the libraries' errors if it cannot be read."""
    with create_engine(uri, poolclass=NullPool).connect() as connection:
        tables = set(inspect(connection).get_table_names())

        def count(table: str, condition: str = "1 = 1") -> int:
            words = text(f"SELECT COUNT(*) FROM {table} WHERE {condition}")
            return int(connection.execute(words).scalar_one()) if table in tables else 0

        revision = None
        if "alembic_version" in tables:
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return Contents(
            frozenset(tables - {"alembic_version"}),
            None if revision is None else str(revision),
            count("experiments"),
            bool(count("runs") + count("experiments", "experiment_id <> 0")),
        )


def _ensure(uri: str, path: Path) -> None:
    """Makes the file where it does not exist, or has no content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _is_to_be_made(uri, path):
        return
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=MAKING_SECONDS)
    except Timeout:
        raise StoreError(
            f"the tracking store {path} has been in the making by another process for "
            f"{MAKING_SECONDS:.0f} seconds: end that process (`fuser {path}.lock` names it), then give the "
            "same command again"
        ) from None
    try:
        if _is_to_be_made(uri, path):  # Another process may have made it.
            _set_aside(path)
            _make(path)
    finally:
        lock.release()


def _is_to_be_made(uri: str, path: Path) -> bool:
    if not path.exists():
        return True
    _check_writable(path)
    found = contents(uri)
    return not found.tables or (found.is_cut_off and not found.used and not _is_current(found))


def _check_writable(path: Path) -> None:
    """Waits for a writer for a while, in steps short enough for Ctrl-C."""
    give_up = time.monotonic() + LOCKED_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", timeout=0.2, uri=True)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise


def _set_aside(path: Path) -> None:
    """Gives a file that cannot be used, and what sqlite has beside it, another name."""
    number = 1
    while path.with_name(f"{path.name}.half-made-{number}").exists():
        number += 1
    for suffix in FILES_OF_ONE:
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(path.with_name(f"{path.name}.half-made-{number}{suffix}"))


def _make(path: Path) -> None:
    """Makes the tables in a folder beside the place, so that a half-made file never is at the place."""
    folder = path.with_name(f"{path.name}.making")
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    folder.mkdir()
    artifacts = (path.parent / "mlartifacts").as_uri()
    store = SqlAlchemyStore(f"sqlite:///{folder / path.name}", artifacts)  # type: ignore[no-untyped-call]
    store.engine.dispose()
    os.replace(folder / path.name, path)
    shutil.rmtree(folder, ignore_errors=True)


def _check(uri: str, found: Contents) -> None:
    if found.is_foreign:
        names = ", ".join(sorted(found.tables)[:3])
        raise StoreError(
            f"the tracking store {redacted(uri)} is a database of something else (it has the tables "
            f"{names}): name another in MLFLOW_TRACKING_URI, or move the file away"
        )
    if _is_current(found):
        return
    if found.is_cut_off:
        raise StoreError(
            f"the tracking store {redacted(uri)} is in the middle of an upgrade that was cut off: put back "
            f"the copy that was made before it, or move the database away. {OF_A_FILE}"
        )
    known = {script.revision for script in _migrations().walk_revisions()}
    words = "out-of-date database schema" if found.revision in known else "can't locate revision"
    raise StoreError(said(uri, f"{words} {found.revision}"))


def _is_current(found: Contents) -> bool:
    return found.revision in _migrations().get_heads()


@cache
def _migrations() -> ScriptDirectory:
    """This MLflow's."""
    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
