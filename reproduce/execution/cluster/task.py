"""One run of a plan as a task of a Ray cluster: what its worker does, and what it tells meanwhile."""

import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cdd.result import Epoch
from cdd.training.environment import Machine
from cdd.training.observer import Progress
from reproduce.errors import StoreError, UsageError
from reproduce.execution.executor import ExecutionContext, Train, outcome_of
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import Outcome
from reproduce.planning.plan import PlannedRun
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.store import Store

BEGAN = "began"
"""What a task says when it begins, with how often it has begun and where."""
SECONDS_BETWEEN_STEPS = 2.0
Message = tuple[str, str, tuple[Any, ...]]
"""Of which run, what its listener shall hear, with which arguments."""


class EventQueue:
    """What the tasks tell, until somebody asks; an actor of the cluster."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()
        self._messages: list[Message] = []

    def begin(self, run_id: str, host: str) -> int:
        """Notes that a task begins; returns how often it has by now."""
        self._begun[run_id] += 1
        self.put(run_id, BEGAN, self._begun[run_id], host)
        return self._begun[run_id]

    def put(self, run_id: str, name: str, *arguments: Any) -> None:
        """Keeps a message."""
        self._messages.append((run_id, name, arguments))

    def take(self) -> list[Message]:
        """The messages since the last look, in order."""
        taken, self._messages = self._messages, []
        return taken


class RemoteListener(Listener):
    """Tells the mailbox what a listener would hear; of the steps only some."""

    def __init__(self, mailbox: Any, run_id: str):
        self._mailbox, self._run_id = mailbox, run_id
        self._last: Any = None
        self._not_before = 0.0

    def stepped(self, progress: Progress) -> None:
        """Told every few seconds."""
        if time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + SECONDS_BETWEEN_STEPS
            self._send("stepped", progress)

    def epoch_finished(self, epoch: Epoch, epochs: int) -> None:
        """Told."""
        self._send("epoch_finished", epoch, epochs)

    def noted(self, text: str) -> None:
        """Told."""
        self._send("noted", text)

    def warned(self, text: str) -> None:
        """Told."""
        self._send("warned", text)

    def flush(self) -> None:
        """Returns when the mailbox has everything."""
        import ray

        if self._last is not None:
            ray.get(self._last)

    def _send(self, name: str, *arguments: Any) -> None:
        self._last = self._mailbox.put.remote(self._run_id, name, *arguments)


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """What every task of a plan is told: a job in plain values.

    Attributes:
        token: a file that is there where the results folder is the driver's own, on a shared file system.
        commit: of the code that gave the command.
        settings: environment variables of MLflow.
        tags: what the runs say of the command.
    """

    uri: str
    workspace: ResultsFolder
    token: Path
    published: Path
    experiment: str
    parent: str | None
    train: Train
    machine: Machine
    commit: str
    settings: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)

    def job(self, listener: Listener) -> ExecutionContext:
        """The job on this machine.

        Raises:
            UsageError: if this machine cannot write its results folder.
            StoreError: if it cannot reach the store.
        """
        os.environ.update(self.settings)
        code = code_version()
        if code.commit != self.commit:
            listener.warned(
                f"{socket.gethostname()} has the code of commit {code.commit[:7]}, this command that of "
                f"{self.commit[:7]}: its runs say so in the store."
            )
        workspace = self.workspace if self.token.exists() else ResultsFolder(self.workspace.results)
        workspace.check_writable()
        return ExecutionContext(
            store=Store(self.uri, workspace, code),
            workspace=workspace,
            published=self.published,
            experiment=self.experiment,
            parent=self.parent,
            train=self.train,
            machine=self.machine,
            listener=listener,
            tags=self.tags,
        )


def run_task(
    order: TaskContext, item: PlannedRun, mailbox: Any, names: list[str], *before: Outcome
) -> Outcome:
    """One run, wherever Ray has put it; begun anew by Ray where its worker or machine dies.

    Args:
        order: what all runs of the plan share.
        item: the run.
        mailbox: handle of the actor that is told of it.
        names: run ids of `before`.
        before: what became of the runs that this one needs.

    Raises:
        UsageError: for a machine that cannot do it.
        StoreError: if the machine cannot reach the store.
    """
    import ray

    host = socket.gethostname()
    times = ray.get(mailbox.begin.remote(item.run_id, host))
    sender = RemoteListener(mailbox, item.run_id)
    try:
        job = order.job(sender)
        if times > 1 and order.token.exists():
            # What was there before is set aside by now; what is there is this run's own.
            item = replace(item, renew=False)
        return outcome_of(item, dict(zip(names, before, strict=True)), job)
    except (UsageError, StoreError) as error:
        raise type(error)(f"on {host}: {error}") from error
    finally:
        sender.flush()
