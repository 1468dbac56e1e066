"""Connection to MLflow: store address, short timeouts, quiet logging, translated errors.

Source of the resume and retry facts: MLflow 3.17, tried out.
"""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from google.protobuf.json_format import Error as ProtobufError  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from yaml import YAMLError

from reproduce.errors import StoreError, UsageError

VARIABLE = "MLFLOW_TRACKING_URI"
DEFAULTS = {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
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
OF_A_FILE = "What was trained is kept in the results folder, and the same command delivers it anew."


@dataclass(frozen=True)
class Fault:
    """A way in which a store fails.

    Attributes:
        signs: parts of the library's text, in lower case, by which it is known; the first found is said.
        state: of the store, for people.
        advice: what to do; `{uri}` stands for the store.
    """

    signs: tuple[str, ...]
    state: str
    advice: str


FAULTS = (
    Fault(
        ("database is locked", "database table is locked"),
        "does not answer",
        "Another process writes to it: wait for it, or end it (`fuser` with the file names it), then give "
        "the same command again.",
    ),
    Fault(
        ("file is not a database", "database disk image is malformed"),
        "cannot be read",
        f"Move the file away, or put a copy in its place. {OF_A_FILE}",
    ),
    Fault(
        (
            "disk is full",
            "no space left on device",
            "disk quota exceeded",
            "disk i/o error",
            "file too large",
        ),
        "cannot be written",
        f"Make room on its disk. {OF_A_FILE}",
    ),
    Fault(
        (
            "readonly database",
            "read-only file system",
            "unable to open database file",
            "permission denied",
            "not a directory",
            "is a directory",
            "file exists",
        ),
        "cannot be written",
        f"Make the file and its folder writable, or name another store in {VARIABLE}.",
    ),
    Fault(
        ("out-of-date database schema",),
        "was written by another version of MLflow",
        "Make a copy of it, then: mlflow db upgrade '{uri}'.",
    ),
    Fault(
        ("can't locate revision",),
        "was written by a newer version of MLflow",
        "Install that version (pip install --upgrade mlflow); `mlflow db upgrade` goes forward only.",
    ),
    Fault(
        ("is in maintenance mode", "migrate-filestore"),
        "is a folder of files, which this MLflow does not open",
        "Make a database of it: mlflow migrate-filestore --source '{uri}' --target sqlite:///mlflow.db; then "
        f"name that in {VARIABLE}, or unset it to use a file beside the results.",
    ),
    Fault(
        (
            "unsupported uri",
            "could not parse sqlalchemy url",
            "can't load plugin",
            "invalid url",
            "invalid ipv6",
            "invalid literal for int()",  # a port
        ),
        "has an address that MLflow does not know",
        f"Give {VARIABLE} one such as sqlite:////path/mlflow.db, postgresql://user@host/base or "
        "http://host:5000, or unset it to use a file beside the results.",
    ),
    Fault(
        ("must be in the 'active' state",),
        "has this run or its experiment among what was deleted",
        "Give the same command again, which begins another run there, or restore it: mlflow runs restore "
        "--run-id ID, mlflow experiments restore --experiment-id ID.",
    ),
    Fault(
        ("invalid host header",),
        "does not answer",
        "It was not started for this name, which mlflow server takes as --allowed-hosts NAME:PORT.",
    ),
    Fault(
        (
            "connection refused",
            "name or service not known",
            "timed out",
            "too many 503 error responses",  # a server whose own database is down
        ),
        "does not answer",
        ADVICE,
    ),
)
"""The first whose sign is found is the one."""


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


def redacted(uri: str) -> str:
    """The address for people, without its password."""
    return re.sub(r"(//[^:/@]*):[^/@]*@", r"\1:***@", uri)


def prepare() -> None:
    """Settings that MLflow and the database's driver read from the environment; the user's own win."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # MLflow prints the traceback of an error before it raises it.
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.ERROR)


def sqlite_file(uri: str) -> Path | None:
    """The file of a sqlite store; None for any other.

    Raises:
        StoreError: for an address without a file, or that is none.
    """
    if uri.partition(":")[0].partition("+")[0] != "sqlite":
        return None

    with store_errors(uri):
        url = make_url(uri)
        url.get_dialect()  # fails where there is no such driver
    name = url.database
    if not name or name == ":memory:":
        raise StoreError(
            f"the tracking store {uri} is lost as the command ends: name a file, such as sqlite:////path/mlflow.db"
        )
    return Path(name)


def exists(uri: str) -> bool:
    """False only for a sqlite file that has not been made yet.

    Raises:
        StoreError: for an address that is none.
    """
    path = sqlite_file(uri)
    return path is None or path.exists()


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turns every way in which a store can fail into one error.

    Raises:
        StoreError: naming the store, the cause and what to do, in one line.
    """
    try:
        yield
    except UsageError:
        raise  # Our own, though it is a ValueError.
    except ImportError as error:
        raise StoreError(
            f"the tracking store {redacted(uri)} needs a driver: {error}. "
            "For PostgreSQL: pip install '.[cluster]'"
        ) from error
    except _library_errors() as error:
        raise StoreError(said(uri, str(error).strip() or type(error).__name__)) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # MLflow's store of files raises the base class itself.
        raise StoreError(said(uri, str(error).strip() or "it says nothing")) from error


def said(uri: str, text: str) -> str:
    """What is wrong with the store and what to do, in one line; `text` is the library's."""
    for fault in FAULTS:
        sign = next((sign for sign in fault.signs if sign in text.lower()), None)
        if sign:
            advice = fault.advice.format(uri=redacted(uri))
            return f"the tracking store {redacted(uri)} {fault.state}: {sign}. {advice}"
    advice = OF_A_FILE if uri.startswith("sqlite") else ADVICE
    return f"the tracking store {redacted(uri)} does not answer: {text.splitlines()[0][:200]}. {advice}"


def _library_errors() -> tuple[type[Exception], ...]:
    """What MLflow lets through of its own and of the libraries below it."""
    return (
        MlflowException,
        RequestException,
        SQLAlchemyError,
        CommandError,
        ProtobufError,
        YAMLError,
        sqlite3.Error,
        OSError,
        ValueError,
    )
