"""How MLflow is set up: which store, short timeouts, no chatter, one clear error.

Source of the resume and retry facts: MLflow 3.17, tried out.
"""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from reproduce.errors import StoreError

VARIABLE = "MLFLOW_TRACKING_URI"
DEFAULTS = {
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "PGCONNECT_TIMEOUT": "10",
}
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""What MLflow can use without a server."""
ADVICE = f"Start the server, or unset {VARIABLE} to use a file beside the results."
CAUSES = (
    "Connection refused",
    "Name or service not known",
    "timed out",
    "database is locked",
    "too many 503 error responses",  # a server whose own database is down
)
"""What is worth saying of an error, without the rest of its text."""


def tracking_uri(results: Path) -> str:
    """`MLFLOW_TRACKING_URI`, else a sqlite file in the results folder."""
    return os.environ.get(VARIABLE) or f"sqlite:///{results.resolve() / 'mlflow.db'}"


def artifact_location(uri: str, results: Path) -> str | None:
    """Where a database store puts its files; a server has its own place.

    The store keeps this address, so that who shares a database without a server shares this folder as well.
    """
    return (results.resolve() / "mlartifacts").as_uri() if is_database(uri) else None


def is_database(uri: str) -> bool:
    """Whether MLflow talks to a database itself, without a server."""
    return uri.partition(":")[0].partition("+")[0] in DATABASES


def shown(uri: str) -> str:
    """The address for people, without its password."""
    return re.sub(r"(//[^:/@]*):[^/@]*@", r"\1:***@", uri)


def prepare() -> None:
    """Settings that MLflow and the database's driver read from the environment; the user's own win."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def sqlite_file(uri: str) -> Path | None:
    """The file of a sqlite store; None for any other."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def exists(uri: str) -> bool:
    """False only for a sqlite file that has not been made yet."""
    path = sqlite_file(uri)
    return path is None or path.exists()


def check_database(uri: str) -> None:
    """Finds out at once what MLflow would retry for minutes; a server is asked later.

    Raises:
        StoreError: if the sqlite file cannot be opened for writing, or is no database; if the database does
            not answer, or its driver is not installed.
    """
    path = sqlite_file(uri)
    if path:
        _check_sqlite(path)
    elif is_database(uri):
        _check_connection(uri)


def _check_connection(uri: str) -> None:
    import sqlalchemy

    try:
        with reachable(uri):
            sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool).connect().close()
    except ImportError as error:
        raise StoreError(
            f"the tracking store {shown(uri)} needs a driver: {error}. "
            "For PostgreSQL: pip install '.[cluster]'"
        ) from error


def _check_sqlite(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"the tracking store {path} cannot be written: {error}. {ADVICE}") from error


@contextmanager
def reachable(uri: str) -> Iterator[None]:
    """Turns every way in which a store can fail into one error.

    Raises:
        StoreError: naming the store and the cause in one line.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        raise StoreError(
            f"the tracking store {shown(uri)} does not answer: {_cause(error)}. {ADVICE}"
        ) from error


def _cause(error: BaseException) -> str:
    text = str(error)
    if "Invalid Host header" in text:
        return "it was not started for this name, which mlflow server takes as --allowed-hosts NAME:PORT"
    for known in CAUSES:
        if known in text:
            return known.lower()
    return text.splitlines()[0][:200] if text else type(error).__name__
