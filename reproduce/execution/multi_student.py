"""Launcher of a plan whose students share training batches and the teacher's forward pass, in one process."""

from collections.abc import Callable
from dataclasses import replace

from cdd.training.batches import batch_stream_key
from cdd.training.multi_student import MultiStudentScheduler
from reproduce.errors import UsageError
from reproduce.execution.executor import (
    ExecutionContext,
    RunExecutor,
    RunLauncher,
    execute,
    outcome_of,
    skipped,
)
from reproduce.execution.listener import Listener
from reproduce.execution.outcome import Outcome, reused
from reproduce.execution.torchrun_environment import is_distributed
from reproduce.planning.plan import Plan, PlannedRun


def launcher(most: int) -> RunLauncher:
    """Launches up to so many students at once; each has the numbers that it has alone.

    Raises:
        UsageError: for several students where each of them is trained by several processes.
    """
    if most == 1:
        return execute
    if is_distributed():
        raise UsageError(
            f"--share-teacher {most} trains several students in a process, torchrun one student in several: "
            "choose one of the two"
        )
    return lambda plan, job: _Together(plan, job, most).outcomes()


class _Together:
    """One plan on its way."""

    def __init__(self, plan: Plan, job: ExecutionContext, most: int):
        self.plan, self.job, self.most = plan, job, most
        self._known = {
            item.run_id: reused(item.stored) for item in plan.items if item.state == "reuse" and item.stored
        }

    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of every run of the plan, by run id."""
        for item in self.plan.items:
            group = [] if item.run_id in self._known else self._group(item)
            if len(group) > 1:
                self._train(group)
            if item.run_id not in self._known:
                listener = self.job.listener
                self._start(item, listener)
                self._end(item, listener, outcome_of(item, self._known, self.job))
        return {item.run_id: self._known[item.run_id] for item in self.plan.items}

    def _group(self, first: PlannedRun) -> list[PlannedRun]:
        """What can be trained now and is taught what the first is taught; the first, if it can be, leads."""
        wanted = batch_stream_key(first.recipe)
        able = [item for item in self.plan.items if self._can_begin(item)]
        return [item for item in able if batch_stream_key(item.recipe) == wanted][: self.most]

    def _can_begin(self, item: PlannedRun) -> bool:
        planned = {other.run_id for other in self.plan.items}
        pending = {before.run_id for before in item.recipe.dependencies} & (planned - self._known.keys())
        trains = item.state in ("run", "resume") and item.run_id not in self._known
        return trains and not pending and skipped(item, self._known) is None

    def _train(self, group: list[PlannedRun]) -> None:
        """Trains them side by side, but for those that another process trains: their turn comes later.

        What is no failure of a run ends everything, as it does for a run alone, once the others have ended.
        """
        listeners = [self.job.listener.another() for _ in group]
        for item, listener in zip(group, listeners, strict=True):
            self._start(item, listener)
            listener.noted(f"side by side with {len(group) - 1} more that see the same batches")
        work = [self._work(*pair) for pair in zip(group, listeners, strict=True)]
        found = MultiStudentScheduler[Outcome | None]([item.recipe for item in group]).results(work)
        for item, listener, outcome in zip(group, listeners, found, strict=True):
            if isinstance(outcome, Outcome):
                self._end(item, listener, outcome)
            elif outcome is None:
                listener.run_ended(item, "another process trains it: looked at again later")
        errors = [outcome for outcome in found if isinstance(outcome, BaseException)]
        if errors:
            raise errors[0]

    def _work(self, item: PlannedRun, listener: Listener) -> Callable[[], Outcome | None]:
        return RunExecutor(item, replace(self.job, listener=listener)).outcome_if_free

    def _start(self, item: PlannedRun, listener: Listener) -> None:
        listener.run_started(item, *self.job.counter.place(item.run_id))

    def _end(self, item: PlannedRun, listener: Listener, outcome: Outcome) -> None:
        self._known[item.run_id] = outcome
        listener.run_ended(item, outcome.words)
