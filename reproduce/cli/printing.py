"""What people see: progress, plans and tables in the terminal. With the rest of `cli`, all that prints."""

import copy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from cdd.run import Epoch
from cdd.run import Progress as Step
from reproduce.execution.listener import Listener
from reproduce.pipeline.drawer import Drawn
from reproduce.planning.duration import total
from reproduce.planning.plan import Item, Plan
from reproduce.tables.sheet import Block, Sheet

PLAIN_WIDTH = 120
LONGEST_SILENCE = 60.0
"""Seconds after which a log of an epoch that takes long gets a line between."""


class Display(Listener):
    """Progress of a plan: a bar per run on a terminal, one plain line per epoch elsewhere."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=not sys.stderr.isatty())
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._head, self._state, self._left = "", "", ""
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

    def run_started(self, item: Item, number: int, runs: int) -> None:
        """Opens the run's bar."""
        self._head = f"[{number}/{runs}] {item.name}"
        self._started, self._state, self._left = None, "", ""
        self._task = self.bar.add_task(self._head.replace("[", r"\["), state=item.state, total=None)
        self._say(f"{self._head}: {item.state} ({item.reason})")

    def stepped(self, progress: Step) -> None:
        """Moves the bar and computes the time to go."""
        now = time.monotonic()
        first, done = self._started = self._started or (now, progress.step)
        if progress.step > done:
            self._left = _duration((now - first) / (progress.step - done) * (progress.steps - progress.step))
        place = f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}"
        left = f"  {self._left} left" if self._left else ""
        if self._task is not None and self.console.is_terminal:
            text = f"{place}  {self._state}{left}"
            self.bar.update(self._task, completed=progress.step, total=progress.steps, state=text)
        elif left and now - self._said > LONGEST_SILENCE:
            self._say(f"{self._head}  {place}  step {progress.step}/{progress.steps}{left}")

    def epoch_finished(self, epoch: Epoch, epochs: int) -> None:
        """A plain line per epoch, for logs."""
        self._state = _figures(epoch) or self._state
        loss = epoch.metrics.get("loss/total")
        parts = [
            f"epoch {epoch.number}/{epochs}",
            f"loss {loss:.3f}" if loss is not None else "",
            _figures(epoch),
        ]
        parts.append(f"{self._left} left" if self._left and epoch.number < epochs else "")
        if not self.console.is_terminal:
            self._say("  ".join([self._head, *filter(None, parts)]))

    def run_ended(self, item: Item, outcome: str) -> None:
        """Closes the run's bar."""
        if self._task is not None:
            self.bar.remove_task(self._task)
            self._task = None
        self._say(f"{self._head}: {outcome}")

    def noted(self, text: str) -> None:
        """A line below the run's."""
        self._say(f"{self._head}  {text}")

    def warned(self, text: str) -> None:
        """A warning line."""
        self._say(f"Warning: {text}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        self.console.print(text, markup=False, highlight=False)


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of things done; quiet when not a terminal."""
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_plan(plan: Plan) -> None:
    """The plan as a grid, with the sum of what is known about time."""
    console = _output()
    grid = Grid(box=None, pad_edge=False)
    for name in ("state", "run", "what", "why", "time"):
        grid.add_column(name, overflow="fold")
    for item in plan.items:
        seconds = item.estimate.seconds
        cost = (
            "-"
            if item.state in ("reuse", "deliver")
            else "unknown"
            if seconds is None
            else _duration(seconds)
        )
        grid.add_row(item.state, item.run_id, item.name, item.reason, cost)
    console.print(grid, markup=False)
    console.print(_plan_sum(plan), highlight=False)
    for remark in plan.remarks:
        console.print(f"Remark: {remark}.", markup=False, highlight=False)


def plan_as_plain(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    seconds, unknown = total([item.estimate for item in plan.work])
    return {
        "runs": [item.as_plain() for item in plan.items],
        "to_do": len(plan.work),
        "estimated_seconds_of_known": seconds,
        "runs_of_unknown_length": unknown,
        "kept_disk_bytes": sum(item.footprint.kept_disk for item in plan.work),
        "remarks": list(plan.remarks),
    }


def show_drawn(drawn: Drawn) -> None:
    """The artifact, where its files are, and what became of runs without numbers."""
    show_sheet(drawn.sheet, drawn.files)
    console = _output()
    for run_id, outcome in drawn.outcomes.items():
        if outcome.state in ("failed", "skipped", "undelivered"):
            console.print(f"Run {run_id} {outcome.state}: {outcome.message}", markup=False, highlight=False)


def show_sheet(sheet: Sheet, files: list[Path]) -> None:
    """A sheet, narrow enough for a terminal, and where its files are."""
    console = _output()
    console.print(f"\n{sheet.title}", style="bold", markup=False, highlight=False)
    for block in sheet.blocks:
        for group in dict.fromkeys(str(column[0]) for column in block.frame.columns):
            console.print(_grid(block, group))
    for note in sheet.notes:
        console.print(note, style="dim", markup=False, highlight=False)
    console.print("Written: " + ", ".join(str(path) for path in files), markup=False, highlight=False)


def drawn_as_plain(drawn: Drawn) -> dict[str, Any]:
    """The artifact's numbers and files as plain values."""
    numbers = drawn.sheet.numbers.astype(object)
    return {
        "artifact": drawn.sheet.name,
        "origin": drawn.origin,
        "title": drawn.sheet.title,
        "cells": numbers.where(numbers.notna(), None).to_dict("records"),
        "notes": list(drawn.sheet.notes),
        "files": [str(path) for path in drawn.files],
    }


def _grid(block: Block, group: str) -> Grid:
    frame = block.frame
    grid = Grid(title=f"{group}: {block.title}", title_justify="left", pad_edge=False)
    levels = sorted({0, frame.index.nlevels - 1})
    places = [
        place
        for place, column in enumerate(frame.columns)
        if column[0] == group and (not block.brief or column[1] in block.brief)
    ]
    for level in levels:
        grid.add_column(str(frame.index.names[level]), overflow="fold")
    for place in places:
        grid.add_column(
            str(frame.columns[place][1]), justify="left" if block.words else "right", overflow="fold"
        )
    before = None
    for index, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        keys = ["" if index[0] == before else index[0], *(index[level] for level in levels[1:])]
        grid.add_row(*map(escape, keys), *(cells[place] for place in places))
        before = index[0]
    return grid


def _output() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)


def _figures(epoch: Epoch) -> str:
    accuracy = {
        name.partition("/")[0]: value for name, value in epoch.metrics.items() if name.endswith("/mAP")
    }
    words = [f"mAP {100 * value:.1f} %" for value in list(accuracy.values())[:1]]
    kept = epoch.metrics.get("channels/kept")
    return "  ".join([*words, *([f"channels {kept:.0f}"] if kept is not None else [])])


def _plan_sum(plan: Plan) -> str:
    if not plan.work:
        return "Nothing to train: every run is finished in the store."
    seconds, unknown = total([item.estimate for item in plan.work])
    text = f"{len(plan.work)} of {len(plan.items)} runs to do"
    if unknown < len(plan.work):
        text += f", about {_duration(seconds)}"
    if any("reference" in item.estimate.basis for item in plan.work):
        text += " (as on the machine of the reference)"
    text += f", {unknown} of unknown length (plan --calibrate measures)" if unknown else ""
    return f"{text}. {_needs(plan)}"


def _needs(plan: Plan) -> str:
    needs = [item.footprint for item in plan.work]
    kept, training = sum(need.kept_disk for need in needs), max(need.training_disk for need in needs)
    memory = max(need.least_memory for need in needs)
    measured = [item.estimate.peak_memory for item in plan.work if item.estimate.peak_memory]
    text = f"Disk: {_gigabytes(kept)} for results, {_gigabytes(training)} more while training. "
    if measured:
        return f"{text}Device memory: {_gigabytes(max(measured))} measured."
    return f"{text}Memory: {_gigabytes(memory)} and what a batch's activations take."


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count < 1e10 else f"{count / 1e9:.0f} GB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
