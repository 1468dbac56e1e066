"""Locks by which one process at a time makes a study, starts a trial or works on it.

Optuna numbers trials safely, but whether one more is wanted, and what it tries, depends on those that
there are, and two processes that look at once see the same. A running trial that nobody holds is one whose
process has died.
"""

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, NullPool, create_engine, func, make_url, select

KEY = 0x63_64_64_73_74_75_64_79
"""Of the lock in a database; one for all studies there, whose tables are made only once."""
SECONDS_IN_SILENCE = 3.0
SECONDS_BETWEEN_LOOKS = 0.1


class StudyLock(ABC):
    """What only one process holds; the system frees it when that process ends."""

    @abstractmethod
    def taken(self) -> bool:
        """Takes it where nobody has it; whether it did."""

    @abstractmethod
    def release(self) -> None:
        """Passes it on."""

    def acquire(self, waits: Callable[[], None] = lambda: None) -> None:
        """Takes it, or waits for it, in steps short enough for Ctrl-C.

        Args:
            waits: called once, when it has taken some seconds.
        """
        begun, told = time.monotonic(), False
        while not self.taken():
            if not told and time.monotonic() - begun > SECONDS_IN_SILENCE:
                waits()
                told = True
            time.sleep(SECONDS_BETWEEN_LOOKS)


class FileStudyLock(StudyLock):
    """A turn among the processes that see one file."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)

    def taken(self) -> bool:
        """Takes it where nobody has it; whether it did."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """Passes it on."""
        self._lock.release()


class DatabaseStudyLock(StudyLock):
    """A turn that PostgreSQL gives to one process of all hosts."""

    def __init__(self, url: str, key: int = KEY):

        # Without a transaction the database has nothing to keep for as long as somebody waits.
        self._engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._key = key
        self._connection: Connection | None = None

    def taken(self) -> bool:
        """Takes it where nobody has it; whether it did."""
        connection = self._connection or self._engine.connect()
        if connection.execute(select(func.pg_try_advisory_lock(self._key))).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def release(self) -> None:
        """Passes it on by ending the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None


class StudyLocks:
    """All turns of one study.

    Attributes:
        start: whose turn it is to make the study or to start a trial.
        place: where the turns are, for people.
    """

    def __init__(self, url: str, study: str):

        database = make_url(url).database or ""
        self._url, self._study = url, study
        self._folder = None if url.startswith("postgresql") else Path(f"{database}.locks")
        self.place = str(self._folder or "the database")
        self.start = self._turn(study, KEY)

    def trial(self, number: int) -> StudyLock:
        """The turn of who works on this trial."""
        name = f"{self._study}-{number}"
        return self._turn(name, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True))

    def _turn(self, name: str, key: int) -> StudyLock:
        return (
            FileStudyLock(self._folder / f"{name}.lock")
            if self._folder
            else DatabaseStudyLock(self._url, key)
        )
