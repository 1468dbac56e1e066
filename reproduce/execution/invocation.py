"""A command's own run in the store: parent of what the command causes, closed however it ends."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from filelock import Timeout

from reproduce.errors import StoreError
from reproduce.execution.listener import Listener
from reproduce.tracking.store import DESCRIPTION, FAILED, FINISHED, KILLED, Store


class Invocation:
    """Alone on its name while it lasts, as far as nobody else works on the same.

    Attributes:
        experiment: id of the one that the run belongs to.
        parent: the run's id; None until it has begun.
    """

    def __init__(self, store: Store, listener: Listener, experiment: str, name: str):
        self._store, self._listener, self._name = store, listener, name
        self.experiment = store.experiment(experiment)
        self.parent: str | None = None
        self._status, self._files = FINISHED, list[Path]()
        self._metrics, self._description = dict[str, float](), ""
        self._lock = store.workspace.lock(f"invocation-{name}")

    def __enter__(self) -> "Invocation":
        """Closes parents of this name that died.

        Raises:
            StoreError: if the store does not answer.
        """
        try:
            self._lock.acquire(timeout=0)
            self._store.close_dead_invocations(self.experiment, self._name)
        except Timeout:
            pass  # Another process works on the same; its parent run is alive.
        except BaseException:
            self._lock.release()
            raise
        return self

    def begin(self, title: str, tags: Mapping[str, str]) -> str:
        """Makes the run; returns its id.

        Raises:
            StoreError: if the store does not answer.
        """
        own = {**tags, "cdd.invocation": self._name}
        self.parent = self._store.start_invocation(self.experiment, title, own)
        return self.parent

    def end(
        self,
        *,
        complete: bool,
        files: Iterable[Path] = (),
        metrics: Mapping[str, float] | None = None,
        description: str = "",
    ) -> None:
        """Says how the command will have ended, and what it has drawn; the description is Markdown."""
        self._status = FINISHED if complete else FAILED
        self._files, self._metrics, self._description = list(files), dict(metrics or {}), description

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the run; a store that does not answer is no reason to lose what was done."""
        try:
            if self.parent:
                self._close(self.parent, self._status_after(kind))
        finally:
            self._lock.release()

    def _status_after(self, kind: type[BaseException] | None) -> str:
        if kind is None:
            return self._status
        return KILLED if issubclass(kind, KeyboardInterrupt) else FAILED

    def _close(self, parent: str, status: str) -> None:
        try:
            self._store.upload(parent, self._files, "table")
            self._store.log_metrics(parent, self._metrics)
            self._store.finish(parent, status, {DESCRIPTION: self._description} if self._description else {})
        except StoreError as error:
            self._listener.warned(str(error))
