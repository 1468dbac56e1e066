"""Students that see the same lessons, side by side in one process: batches and teacher are computed once.

Every student trains as it does alone, in a thread of its own, but only one of them runs at a time: whoever
asks for its next lesson, or has ended, hands its turn on. The next lesson is given when all who are still
there wait for one, to those of the earliest epoch; who went on from a later checkpoint waits for them. So a
student's numbers are those that it has alone, and one that fails leaves the others to go on.
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
from cdd.training.batches import Lesson, Lessons, subject

SECONDS_BETWEEN_LOOKS = 0.5
"""For an interruption whose signal reached another thread."""

T = TypeVar("T")
Message = Lesson | BaseException | None
"""What wakes a student: its next lesson, an error, or nothing: its first turn, or the end of an epoch."""


class Seat:
    """The place of a student that is taught alone.

    Attributes:
        companions: most other students that a lesson was shared with.
    """

    companions = 0

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns; for students side by side, made once for all with this key."""
        return make()

    def speaker(self, recipe: Recipe) -> Recipe:
        """Whose recipe lessons are made from: of those who are taught the same, one that reads maps."""
        return recipe

    def attended(self, lessons: Lessons, epoch: int) -> Iterator[Lesson]:
        """The lessons of an epoch."""
        return lessons.of_epoch(epoch)

    def seconds(self) -> float:
        """A clock that tells what this student takes: its own time and its share of each lesson's."""
        return time.monotonic()


ALONE = Seat()
_present: ContextVar[Seat] = ContextVar("seat", default=ALONE)


def seat_here() -> Seat:
    """The seat of the student that this thread trains; `ALONE` outside a classroom."""
    return _present.get()


class _Shared(Seat):
    """A place in a classroom."""

    def __init__(self, room: "Classroom[Any]"):
        self._room = room
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self._spent, self._resumed = 0.0, time.monotonic()

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._room.common:
            self._room.common[key] = make()
        found: T = self._room.common[key]
        return found

    def speaker(self, recipe: Recipe) -> Recipe:
        alike = (other for other in self._room.recipes if subject(other) == subject(recipe))
        return next((other for other in alike if other.method.reads_maps), recipe)

    def attended(self, lessons: Lessons, epoch: int) -> Iterator[Lesson]:
        while (lesson := self._next(lessons, epoch)) is not None:
            yield lesson

    def seconds(self) -> float:
        return self._spent + time.monotonic() - self._resumed

    def _next(self, lessons: Lessons, epoch: int) -> Lesson | None:
        self._spent = self.seconds()
        self._room.wait(self, lessons, epoch)
        message = self.awoken()
        if isinstance(message, BaseException):
            raise message
        return message

    def awoken(self) -> Message:
        """Waits for a turn; returns what comes with it."""
        message = self.inbox.get()
        self._resumed = time.monotonic()
        return message

    def charge(self, seconds: float, companions: int) -> None:
        """Counts the share of a lesson, which nobody's turn has."""
        self._spent += seconds
        self.companions = max(self.companions, companions)


class Classroom(Generic[T]):
    """Students side by side.

    Their turns pass from thread to thread through inboxes, so that only one of them reads or changes what
    is here at any time.

    Attributes:
        recipes: of all students.
        common: what the students share, by key.
    """

    def __init__(self, recipes: Sequence[Recipe]):
        self.recipes = tuple(recipes)
        self.common: dict[Hashable, Any] = {}
        self._seats = [_Shared(self) for _ in recipes]
        self._results: dict[_Shared, T | BaseException] = {}
        self._due: deque[tuple[_Shared, Message]] = deque((seat, None) for seat in self._seats)
        self._waiting: dict[_Shared, tuple[Lessons, int]] = {}
        self._given: tuple[Lessons, int] | None = None
        self._lessons: Iterator[Lesson] = iter(())
        self._over, self._interrupted = threading.Event(), False

    def results(self, work: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        """What each student's work returned, or the error that ended it, in the order of the recipes.

        Work that waits for another student's holds up all of them. An interruption (KeyboardInterrupt)
        reaches every student with its next lesson, and then the caller.
        """
        for number, pair in enumerate(zip(self._seats, work, strict=True), start=1):
            threading.Thread(target=self._work, args=pair, name=f"student-{number}", daemon=True).start()
        interruption: BaseException | None = None
        self._hand_on()
        # Not by joining the threads: an interrupted join takes a thread that is alive for ended.
        while not self._over.is_set():
            try:
                self._over.wait(SECONDS_BETWEEN_LOOKS)
            except BaseException as error:
                interruption, self._interrupted = error, True
        if interruption:
            raise interruption
        return [self._results[seat] for seat in self._seats]

    def wait(self, seat: _Shared, lessons: Lessons, epoch: int) -> None:
        """Notes what a student waits for, and hands its turn on."""
        self._waiting[seat] = (lessons, epoch)
        self._hand_on()

    def _work(self, seat: _Shared, work: Callable[[], T]) -> None:
        _present.set(seat)
        seat.awoken()
        try:
            self._results[seat] = work()
        except BaseException as error:
            self._results[seat] = error
        self._hand_on()

    def _hand_on(self) -> None:
        """Gives the turn to who is due; where nobody is, all who are still there wait for a lesson."""
        if not self._due and self._waiting:
            self._give()
        if self._due:
            seat, message = self._due.popleft()
            seat.inbox.put(message)
        else:
            self._over.set()

    def _give(self) -> None:
        """Makes the next lesson due for everybody who waits for it."""
        chosen = self._choice()
        present = [seat for seat, wanted in self._waiting.items() if wanted == chosen]
        started = time.monotonic()
        message = self._next(chosen)
        for seat in present:
            del self._waiting[seat]
            seat.charge((time.monotonic() - started) / len(present), len(present) - 1)
            self._due.append((seat, message))

    def _choice(self) -> tuple[Lessons, int]:
        """Whose next lesson it is: an epoch that has begun goes on while somebody is left in it."""
        wanted = list(self._waiting.values())
        if self._given in wanted and self._given is not None:
            return self._given
        self._given = min(wanted, key=lambda each: each[1])
        lessons, epoch = self._given
        self._lessons = lessons.of_epoch(epoch)
        return self._given

    def _next(self, chosen: tuple[Lessons, int]) -> Message:
        if self._interrupted:
            return KeyboardInterrupt()
        try:
            lesson = next(self._lessons, None)
            if lesson and chosen[0].device.type == "cuda":
                # Else whoever learns first would be charged with the teacher's time.
                torch.cuda.synchronize(chosen[0].device)
        except Exception as error:
            self._given = None
            return error
        if lesson is None:
            self._given = None
        return lesson
