"""Where Optuna keeps a study, with heartbeats by which a dead trial is found and tried again."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reproduce.connection import shown
from reproduce.errors import StoreError, UsageError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

HEARTBEAT_SECONDS, GRACE_SECONDS = 10, 40
"""How often a trial says that it is alive, and how long it may be silent."""


def open_storage(url: str) -> "RDBStorage":
    """The database of this URL; its tables are made where they do not exist, by one process at a time.

    Raises:
        UsageError: for one that cannot be opened, or is MLflow's.
    """
    import optuna
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    check_own(url)
    with usable(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url,
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )


@contextmanager
def usable(url: str) -> Iterator[None]:
    """Turns every way in which a storage can fail to open into one error.

    Raises:
        UsageError: naming the storage and the cause.
    """
    try:
        yield
    except Exception as error:  # SQLAlchemy's and the driver's own, of any kind
        raise UsageError(
            f"--storage {shown(url)}: {_cause(error)}. Give a URL such as sqlite:///studies.db or "
            "postgresql://user@host/base, and install the database's driver "
            "(PostgreSQL's: pip install '.[cluster]')."
        ) from error


@contextmanager
def answering(url: str) -> Iterator[None]:
    """Turns a storage that fails while a study works into one error.

    Raises:
        StoreError: naming the storage and the cause.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StoreError(
            f"the study's storage {shown(url)} does not answer: {_cause(error.__cause__ or error)}. What was "
            "trained is kept: give the same command again when it answers."
        ) from error


def check_own(url: str) -> None:
    """Makes sure that a storage answers and is not MLflow's.

    Raises:
        UsageError: if not.
    """
    import sqlalchemy

    with usable(url):
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        is_mlflows = sqlalchemy.inspect(engine).has_table("experiments")
    if is_mlflows:
        # Both libraries keep the version of their tables in a table of the same name.
        raise UsageError(
            f"--storage {shown(url)} is MLflow's database: studies need one of their own, "
            "which may be on the same server."
        )


def _cause(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
