"""Optuna storage of the studies, opened and checked."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from reproduce.errors import StoreError, UsageError
from reproduce.tracking.connection import redacted

SECONDS_LOCKED = 20
"""How long somebody else may write to a sqlite file."""
BACKENDS = ("sqlite", "postgresql")
OWN_TABLES = ("studies", "trials", "version_info")
KEPT = "What was trained is kept: give the same command again"
FAULTS = (
    ("database is locked", f"Another process writes to it: wait for it or end it. {KEPT}."),
    ("not a database", f"Move the file away: the same command begins its studies anew. {KEPT}."),
    ("malformed", f"Move the file away: the same command begins its studies anew. {KEPT}."),
    ("disk is full", f"Make room on its disk. {KEPT}."),
    ("readonly database", "Make the file and its folder writable, or name another with --storage."),
    ("permission denied", "Make the file and its folder writable, or name another with --storage."),
    ("unable to open database file", "Make its folder writable, or name another with --storage."),
    ("optuna storage upgrade", "Make a copy of it first."),
    ("updating optuna", "Or name another with --storage."),
    ("can't locate revision", "Another version of Optuna made it: name another with --storage."),
)
"""What is found in the text of an error, and what to do."""
ADDRESSES = (
    "Give a URL such as sqlite:///studies.db or postgresql://user@host/base, and install the database's "
    "driver (PostgreSQL's: pip install '.[cluster]')."
)


def open_storage(url: str) -> RDBStorage:
    """The database of this URL; its tables are made where they do not exist, by one process at a time.

    Raises:
        StoreError: for one that is damaged, locked, or another version's.
    """
    with storage_open_errors(url):
        arguments = {"timeout": SECONDS_LOCKED} if url.startswith("sqlite") else {}
        return RDBStorage(url, engine_kwargs={"connect_args": arguments})


def check_url(url: str) -> None:
    """Refuses what studies cannot be kept in.

    Raises:
        UsageError: for a URL that is none, of another kind of database, without a file, or of a database that
            is MLflow's or something else's.
        StoreError: for a database that cannot be read.
    """
    with storage_open_errors(url):
        found = make_url(url)
        found.get_dialect().import_dbapi()
        kind = found.get_backend_name()
    if kind not in BACKENDS or (kind == "sqlite" and found.database in (None, "", ":memory:")):
        raise UsageError(f"--storage {redacted(url)}: studies cannot be kept there. {ADDRESSES}")
    with storage_open_errors(url):
        _check_tables(url)


@contextmanager
def storage_open_errors(url: str) -> Iterator[None]:
    """Turns every way in which a storage can fail to open into one error.

    Raises:
        UsageError: naming a URL that is none.
        StoreError: naming what is wrong with the database, and what to do.
    """
    try:
        yield
    except (StoreError, UsageError):
        raise
    except (ArgumentError, ImportError, ValueError) as error:
        raise UsageError(f"--storage {redacted(url)}: {_cause(error)}. {ADDRESSES}") from error
    except Exception as error:  # SQLAlchemy's and the driver's own, of any kind
        raise StoreError(_said(url, "cannot be used", error)) from error


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turns a storage that fails while a study works into one error.

    Raises:
        StoreError: naming the storage, the cause and what to do.
    """
    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        raise StoreError(_said(url, "does not answer", error.__cause__ or error)) from error


def _said(url: str, state: str, error: BaseException) -> str:
    text = str(error)
    advice = next((advice for sign, advice in FAULTS if sign in text.lower()), f"{KEPT} when it answers.")
    return f"the study's storage {redacted(url)} {state}: {_cause(error)}. {advice}"


def _check_tables(url: str) -> None:

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    tables = set(sqlalchemy.inspect(engine).get_table_names()) - {"alembic_version"}
    if "experiments" in tables:
        # Both libraries keep the version of their tables in a table of the same name.
        raise UsageError(
            f"--storage {redacted(url)} is MLflow's database: studies need one of their own, "
            "which may be on the same server."
        )
    if tables and not tables & set(OWN_TABLES):
        raise UsageError(
            f"--storage {redacted(url)} is a database of something else (it has the tables "
            f"{', '.join(sorted(tables)[:3])}): studies need one of their own. {ADDRESSES}"
        )


def _cause(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
