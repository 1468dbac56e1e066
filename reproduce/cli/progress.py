"""Progress in the terminal: of the runs of a command, and of what is merely counted."""

import copy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cdd.result import Epoch
from cdd.training.observer import Progress as Step
from reproduce.cli.printing import duration
from reproduce.execution.listener import Listener
from reproduce.planning.plan import PlannedRun

LONGEST_SILENCE = 60.0
"""Seconds after which a log of an epoch that takes long gets a line between."""


class Display(Listener):
    """Progress of a plan: on a terminal a bar per run and one of all, elsewhere one plain line per epoch."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=not sys.stderr.isatty())
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[state]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._total = _Total(self.bar)
        self._head, self._number, self._accuracy, self._left = "", "", "", ""
        self._item: PlannedRun | None = None
        self._task: TaskID | None = None
        self._started: tuple[float, int] | None = None
        self._said = 0.0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def another(self) -> Self:
        """A display on the same terminal, with a bar of its own."""
        return copy.copy(self)

    def planned(self, items: list[PlannedRun]) -> None:
        """Opens the bar of all runs."""
        self._total.begin(items)

    def run_started(self, item: PlannedRun, number: int, runs: int) -> None:
        """Opens the run's bar."""
        self._item, self._number = item, f"[{number}/{runs}]"
        self._head = f"{self._number} {item.name}"
        self._started, self._accuracy, self._left = None, "", ""
        self._say(f"{self._head}: {item.state} ({item.reason})")
        self._task = self.bar.add_task(self._number, state=item.state, total=None)

    def stepped(self, progress: Step) -> None:
        """Moves the bar and computes the time to go."""
        now = time.monotonic()
        first, done = self._started = self._started or (now, progress.step)
        if progress.step > done:
            seconds = (now - first) / (progress.step - done) * (progress.steps - progress.step)
            self._left = duration(seconds)
            self._total.update(self._item, seconds)
        place = f"epoch {progress.epoch}/{progress.epochs}"
        loss = f"loss {progress.loss:.3f}"
        left = f"{self._left} left" if self._left else ""
        if self._task is not None and self.console.is_terminal:
            doing = "evaluating" if self._is_evaluated(progress) else loss
            text = "  ".join(filter(None, (place, doing, self._accuracy, left)))
            self.bar.update(self._task, completed=progress.step, total=progress.steps, state=text)
        elif left and now - self._said > LONGEST_SILENCE:
            self._say(f"{self._head}  {place}  {loss}  step {progress.step}/{progress.steps}  {left}")

    def epoch_finished(self, epoch: Epoch, epochs: int) -> None:
        """A plain line per epoch, for logs."""
        self._accuracy = _accuracy(epoch) or self._accuracy
        loss, kept = (epoch.metrics.get(name) for name in ("loss/total", "channels/kept"))
        parts = [
            f"epoch {epoch.number}/{epochs}",
            f"loss {loss:.3f}" if loss is not None else "",
            _accuracy(epoch),
            f"channels {kept:.0f}" if kept is not None else "",
        ]
        parts.append(f"{self._left} left" if self._left and epoch.number < epochs else "")
        if not self.console.is_terminal:
            self._say("  ".join([self._head, *filter(None, parts)]))

    def run_ended(self, item: PlannedRun, outcome: str) -> None:
        """Closes the run's bar."""
        if self._task is not None:
            self.bar.remove_task(self._task)
            self._task = None
        self._total.end(item)
        self._say(f"{self._head}: {outcome}")

    def noted(self, text: str) -> None:
        """A line below the run's."""
        self._say(f"{self._head}  {text}")

    def warned(self, text: str) -> None:
        """A warning line."""
        self._say(f"Warning: {text}")

    def _is_evaluated(self, progress: Step) -> bool:
        """Whether this was the last step before accuracy is measured."""
        if self._item is None or progress.step * progress.epochs != progress.epoch * progress.steps:
            return False
        return progress.epoch % self._item.recipe.evaluate_every == 0 or progress.epoch == progress.epochs

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        self.console.print(text, markup=False, highlight=False)


class _Total:
    """The bar of all runs of a command, and when the last of them ends."""

    def __init__(self, bar: Progress):
        self._bar, self._task = bar, TaskID(-1)
        self._runs, self._left = 0, dict[str, float | None]()

    def begin(self, items: list[PlannedRun]) -> None:
        """Opens the bar, if there are several runs."""
        if len(items) > 1:
            self._runs, self._left = len(items), {item.run_id: item.estimate.seconds for item in items}
            self._task = self._bar.add_task("all", state="", total=self._runs)
            self._show()

    def update(self, item: PlannedRun | None, seconds: float) -> None:
        """Takes the time that a run still needs, as measured."""
        if item and item.run_id in self._left:
            self._left[item.run_id] = seconds
            self._show()

    def end(self, item: PlannedRun) -> None:
        """Counts a run as done."""
        if item.run_id in self._left:
            del self._left[item.run_id]
            self._show()

    def _show(self) -> None:
        done = self._runs - len(self._left)
        self._bar.update(self._task, completed=done, state=f"{done} of {self._runs} runs{self._end()}")

    def _end(self) -> str:
        """When all is done; a run of unknown length counts as the mean of the known ones."""
        known = [seconds for seconds in self._left.values() if seconds is not None]
        if not known:
            return ""
        seconds = sum(known) / len(known) * len(self._left)
        at = datetime.now() + timedelta(seconds=seconds)
        return f"  {duration(seconds)} left, until {at:%a %H:%M}"


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of things done; quiet when not a terminal."""
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _accuracy(epoch: Epoch) -> str:
    """The first accuracy of the epoch; nothing where none was measured."""
    found = (value for name, value in epoch.metrics.items() if name.endswith("/mAP"))
    return next((f"mAP {100 * value:.1f} %" for value in found), "")
