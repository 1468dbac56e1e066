"""Multi-student scheduler: co-trained students share training batches and teacher outputs in one process.

Every student trains in a thread of its own, but only one thread runs at a time: a student that requests its
next training batch, or that has finished, passes the turn to the next thread. Once every unfinished student
waits for a batch, the students of the earliest epoch receive theirs; a student that resumed from a later
checkpoint waits for them. A student's results therefore equal those of training it alone, and the failure
of one student does not stop the others.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import torch

from cdd.recipe import Recipe
from cdd.training.batches import BatchStream, TrainingBatch, batch_stream_key

SECONDS_BETWEEN_LOOKS = 0.5
"""Poll interval of the caller, for an interruption whose signal was delivered to another thread."""

T = TypeVar("T")
Message = TrainingBatch | BaseException | None
"""What a turn delivers: a training batch, an error, or None for the first turn and the end of an epoch."""


class StudentSlot:
    """The slot of a student that trains alone.

    Attributes:
        companions: largest number of other students that shared one of its training batches.
    """

    co_trained_students = 0

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make`; co-trained students call `make` once per key and share the result."""
        return make()

    def representative_recipe(self, recipe: Recipe) -> Recipe:
        """The recipe used to build the shared batch stream: one that needs feature maps, if there is one."""
        return recipe

    def batches(self, batch_stream: BatchStream, epoch: int) -> Iterator[TrainingBatch]:
        """The training batches of an epoch."""
        return batch_stream.of_epoch(epoch)

    def seconds(self) -> float:
        """A clock of this student's time: its own turns and its share of the shared batches."""
        return time.monotonic()


UNSHARED = StudentSlot()
_present: ContextVar[StudentSlot] = ContextVar("seat", default=UNSHARED)


def current_slot() -> StudentSlot:
    """The slot of the student that this thread trains; outside of a scheduler, one that shares nothing."""
    return _present.get()


class _SharedSlot(StudentSlot):
    """A student's slot in a multi-student scheduler."""

    def __init__(self, scheduler: "MultiStudentScheduler[Any]"):
        self._scheduler = scheduler
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self._spent, self._resumed = 0.0, time.monotonic()

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._scheduler.common:
            self._scheduler.common[key] = make()
        value: T = self._scheduler.common[key]
        return value

    def representative_recipe(self, recipe: Recipe) -> Recipe:
        sharing = (
            other for other in self._scheduler.recipes if batch_stream_key(other) == batch_stream_key(recipe)
        )
        return next((other for other in sharing if other.method.reads_maps), recipe)

    def batches(self, batch_stream: BatchStream, epoch: int) -> Iterator[TrainingBatch]:
        while (training_batch := self._next_batch(batch_stream, epoch)) is not None:
            yield training_batch

    def seconds(self) -> float:
        return self._spent + time.monotonic() - self._resumed

    def _next_batch(self, batch_stream: BatchStream, epoch: int) -> TrainingBatch | None:
        self._spent = self.seconds()
        self._scheduler.wait(self, batch_stream, epoch)
        message = self.wait_for_turn()
        if isinstance(message, BaseException):
            raise message
        return message

    def wait_for_turn(self) -> Message:
        """The message of the next turn; blocks until then."""
        message = self.inbox.get()
        self._resumed = time.monotonic()
        return message

    def charge(self, seconds: float, co_trained_students: int) -> None:
        """Adds this student's share of the time that a shared batch took."""
        self._spent += seconds
        self.co_trained_students = max(self.co_trained_students, co_trained_students)


class MultiStudentScheduler(Generic[T]):
    """Scheduler of co-trained students.

    Turns pass from thread to thread through inboxes, so that only one thread at a time reads or changes the
    scheduler's state.

    Attributes:
        recipes: of all students.
        common: objects that the students share, by key.
    """

    def __init__(self, recipes: Sequence[Recipe]):
        self.recipes = tuple(recipes)
        self.common: dict[Hashable, Any] = {}
        self._slots = [_SharedSlot(self) for _ in recipes]
        self._results: dict[_SharedSlot, T | BaseException] = {}
        self._due: deque[tuple[_SharedSlot, Message]] = deque((slot, None) for slot in self._slots)
        self._waiting: dict[_SharedSlot, tuple[BatchStream, int]] = {}
        self._current: tuple[BatchStream, int] | None = None
        self._batches: Iterator[TrainingBatch] = iter(())
        self._finished, self._interrupted = threading.Event(), False

    def results(self, work: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        """Result of each student's work, or the error that ended the work, in the order of the recipes.

        Work that waits for another student's work blocks all students. An interruption (KeyboardInterrupt)
        is raised in every student at its next training batch, and then in the caller.
        """
        for number, pair in enumerate(zip(self._slots, work, strict=True), start=1):
            threading.Thread(target=self._work, args=pair, name=f"student-{number}", daemon=True).start()
        interruption: BaseException | None = None
        self._pass_turn()
        # Thread.join() interrupted by a signal may report a live thread as finished, so poll an Event.
        while not self._finished.is_set():
            try:
                self._finished.wait(SECONDS_BETWEEN_LOOKS)
            except BaseException as error:
                interruption, self._interrupted = error, True
        if interruption:
            raise interruption
        return [self._results[slot] for slot in self._slots]

    def wait(self, slot: _SharedSlot, batch_stream: BatchStream, epoch: int) -> None:
        """Records the epoch whose next batch a student waits for, and passes its turn."""
        self._waiting[slot] = (batch_stream, epoch)
        self._pass_turn()

    def _work(self, slot: _SharedSlot, work: Callable[[], T]) -> None:
        _present.set(slot)
        slot.wait_for_turn()
        try:
            self._results[slot] = work()
        except BaseException as error:
            self._results[slot] = error
        self._pass_turn()

    def _pass_turn(self) -> None:
        """Wakes the next student that is due; if none is due, all unfinished students wait for a batch."""
        if not self._due and self._waiting:
            self._send_next_batch()
        if self._due:
            slot, message = self._due.popleft()
            slot.inbox.put(message)
        else:
            self._finished.set()

    def _send_next_batch(self) -> None:
        """Makes every student due that waits for the next batch of the current epoch."""
        current = self._current_epoch()
        receivers = [slot for slot, awaited in self._waiting.items() if awaited == current]
        started = time.monotonic()
        message = self._next_message(current[0])
        for slot in receivers:
            del self._waiting[slot]
            slot.charge((time.monotonic() - started) / len(receivers), len(receivers) - 1)
            self._due.append((slot, message))

    def _current_epoch(self) -> tuple[BatchStream, int]:
        """Batch stream and epoch of the next batch: the current epoch until no student waits for it."""
        awaited = list(self._waiting.values())
        if self._current in awaited and self._current is not None:
            return self._current
        self._current = min(awaited, key=lambda stream_and_epoch: stream_and_epoch[1])
        batch_stream, epoch = self._current
        self._batches = batch_stream.of_epoch(epoch)
        return self._current

    def _next_message(self, batch_stream: BatchStream) -> Message:
        if self._interrupted:
            return KeyboardInterrupt()
        try:
            training_batch = next(self._batches, None)
            if training_batch and batch_stream.device.type == "cuda":
                # Otherwise the teacher's time would be charged to the first student of the batch.
                torch.cuda.synchronize(batch_stream.device)
        except Exception as error:
            self._current = None
            return error
        if training_batch is None:
            self._current = None
        return training_batch
