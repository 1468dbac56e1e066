"""Runs a plan as a graph of tasks on a Ray cluster: each run behind those it needs, the others beside it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from cdd.errors import RunError
from reproduce.errors import StoreError
from reproduce.execution.cluster import cluster
from reproduce.execution.cluster.task import BEGAN, run_task
from reproduce.execution.executor import ExecutionContext, RunLauncher, outcome_of, skipped
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import Outcome, reused
from reproduce.planning.plan import Plan, PlannedRun
from reproduce.tracking.store import FAILED, KILLED, RUNNING

RETRIES = 3
"""How often a run goes on after its worker or machine has died."""
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_STOP = 60.0


@contextmanager
def ray_launcher(address: str | None) -> Iterator[RunLauncher]:
    """Launches on the cluster at this address; without one on a cluster of this machine's own.

    Raises:
        UsageError: if Ray is not installed, no cluster answers, or its machines cannot share the store.
        RunError: if the cluster is lost.
    """
    with cluster.connected(address):
        from ray.exceptions import RayError

        try:
            yield launch
        except RayError as error:
            raise RunError(
                f"the Ray cluster was lost ({type(error).__name__}): give the same command again to go on"
            ) from error


def launch(plan: Plan, job: ExecutionContext) -> dict[str, Outcome]:
    """Does it on the cluster that this process is connected to."""
    if not plan.work:
        return {item.run_id: reused(item.stored) for item in plan.items if item.stored}
    cluster.check(job)
    job.workspace.checkpoints.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=job.workspace.checkpoints, suffix=".token") as token:
        return _Graph(plan, job, Path(token.name)).outcomes()


class _Graph:
    """The tasks of one plan, and what is known of them."""

    def __init__(self, plan: Plan, job: ExecutionContext, token: Path):
        self.plan, self.job = plan, job
        self._order = cluster.order(job, token)
        self._mailbox = cluster.mailbox()
        self._known: dict[str, Outcome] = {}
        self._tasks: dict[Any, PlannedRun] = {}
        self._listeners: dict[str, Listener] = {}

    def outcomes(self) -> dict[str, Outcome]:
        """Starts everything and hears of it to its end; an interruption ends the tasks as it ends a run."""
        import ray

        try:
            self._submit()
            while self._tasks:
                ready, _ = ray.wait(list(self._tasks), timeout=SECONDS_BETWEEN_LOOKS)
                self._hear()
                for task in ready:
                    item = self._tasks.pop(task)
                    self._ended(item, self._outcome(task, item))
        except BaseException:
            self._stop()
            raise
        finally:
            self._close_lost()
        return {item.run_id: self._known[item.run_id] for item in self.plan.items}

    def _submit(self) -> None:
        """One task for each run; what only has to be delivered is delivered here, where its files are."""
        import ray

        task = ray.remote(run_task)
        options = {"max_retries": RETRIES, **cluster.resources(self._order.machine)}
        begun: dict[str, Any] = {}
        for item in self.plan.items:
            if item.state == "reuse" and item.stored:
                self._known[item.run_id] = reused(item.stored)
            elif item.state == "deliver":
                self._begin(item)
                self._ended(item, outcome_of(item, self._known, self.job))
            else:
                needed = [before.run_id for before in item.recipe.dependencies]
                before = {name: known for name in needed if (known := begun.get(name, self._known.get(name)))}
                named = task.options(name=f"{item.run_id}: {item.name}", **options)
                begun[item.run_id] = named.remote(
                    self._order, item, self._mailbox, list(before), *before.values()
                )
                self._tasks[begun[item.run_id]] = item

    def _hear(self) -> None:
        import ray

        items = {item.run_id: item for item in self.plan.items}
        for run_id, name, arguments in ray.get(self._mailbox.take.remote()):
            if name == BEGAN:
                self._began(items[run_id], *arguments)
            else:
                getattr(self._listeners[run_id], name)(*arguments)

    def _began(self, item: PlannedRun, times: int, host: str) -> None:
        if times == 1:
            self._begin(item)
        else:
            self._listeners[item.run_id].warned(f"{item.name}: its worker died; it goes on, on {host}.")

    def _begin(self, item: PlannedRun) -> None:
        self._listeners[item.run_id] = listener = self.job.listener.another()
        listener.run_started(item, *self.job.counter.place(item.run_id))

    def _ended(self, item: PlannedRun, outcome: Outcome) -> None:
        if item.run_id not in self._listeners:
            self._begin(item)
        self._known[item.run_id] = outcome
        self._listeners[item.run_id].run_ended(item, outcome.words)

    def _outcome(self, task: Any, item: PlannedRun) -> Outcome:
        """What the task gives; an error that nobody expected ends everything, as it does in one process."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            found: Outcome = ray.get(task)
            return found
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise error.cause from error
        except RayError as error:
            lost = f"its worker died {RETRIES + 1} times ({type(error).__name__}): is there memory enough?"
        return skipped(item, self._known) or Outcome(state="failed", message=lost)

    def _stop(self) -> None:
        """Interrupts all tasks and gives them time to close their runs in the store."""
        import ray

        for task in self._tasks:
            ray.cancel(task)
        if self._tasks:
            ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=SECONDS_TO_STOP)

    def _close_lost(self) -> None:
        """Closes the runs that dead workers have left open."""
        try:
            for run in chain.from_iterable(self.job.store.trainings().values()):
                if run.status == RUNNING and run.tags.get("mlflow.parentRunId") == self.job.parent:
                    known = self._known.get(run.run_id, Outcome(state="interrupted"))
                    status = FAILED if known.state == "failed" else KILLED
                    self.job.store.finish(run.mlflow_id, status, {"cdd.message": known.words})
        except StoreError as error:
            self.job.listener.warned(str(error))
