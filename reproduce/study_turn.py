"""Whose turn it is to make a study or to start a trial: one process's, of all that work on it.

Optuna numbers trials safely, but whether one more is wanted, and what it tries, depends on those that
there are, and two processes that look at once see the same.
"""

from typing import TYPE_CHECKING, Protocol

from reproduce.study_storage import usable
from reproduce.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEY = 0x63_64_64_73_74_75_64_79
"""Of the lock in a database; one for all studies there, whose tables are made only once."""


class Turn(Protocol):
    """What only one process holds; the system frees it when that process ends."""

    def acquire(self) -> object:
        """Waits for the turn."""

    def release(self) -> object:
        """Passes it on."""


class DatabaseTurn:
    """A turn that PostgreSQL gives to one process of all hosts."""

    def __init__(self, url: str):
        from sqlalchemy import NullPool, create_engine

        # Without a transaction the database has nothing to keep for as long as somebody waits.
        self._engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Waits for the turn."""
        from sqlalchemy import func, select

        self._connection = self._engine.connect()
        self._connection.execute(select(func.pg_advisory_lock(KEY)))

    def release(self) -> None:
        """Passes it on by ending the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None


def turn(url: str, study: str, workspace: Workspace) -> Turn:
    """Of all hosts where the storage is PostgreSQL, else of the processes that share the results folder.

    Raises:
        UsageError: for a storage that cannot be used.
    """
    from sqlalchemy import make_url

    with usable(url):
        if make_url(url).get_backend_name() == "postgresql":
            return DatabaseTurn(url)
    return workspace.lock(f"study-{study}")
