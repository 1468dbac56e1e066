"""Several processes under one command: the first plans, draws and logs; the others train what it trains."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from cdd.training.distributed.launch import init_process_group
from cdd.training.environment import select_device
from reproduce.errors import ProcessesLostError, UsageError

if TYPE_CHECKING:
    from cdd.result import Result
    from cdd.training.distributed.process_group import ProcessGroup
    from cdd.training.environment import Machine
    from cdd.training.observer import Observer
    from reproduce.execution.executor import Train

SECONDS_TO_MEET = 60.0
"""Within which all processes must have left a training that has failed in one of them."""


@contextmanager
def distributed_train(train: "Train", machine: "Machine") -> Iterator["Train"]:
    """In the first process, the training function that takes the others along; they are let go at the end.

    Where torchrun has started no others, it is the function itself.

    Raises:
        UsageError: for a device that the processes cannot use.
        ProcessesLostError: when one of them can no longer take part.
    """
    ranks = _joined(machine)
    if ranks.count == 1:
        yield train
        return
    try:
        yield Leader(train, ranks)
    except ProcessesLostError:
        raise
    except Exception:
        ranks.broadcast_object(None)
        raise
    ranks.broadcast_object(None)


class Leader:
    """A training function that every process calls with the same arguments, but for the observer."""

    def __init__(self, train: "Train", ranks: "ProcessGroup"):
        self.train, self.ranks = train, ranks

    def __call__(self, *arguments: Any, observer: "Observer | None" = None, **named: Any) -> "Result":
        """Trains together with the others."""
        self.ranks.broadcast_object((self.train, arguments, named))
        try:
            return self.train(*arguments, observer=observer, **named)
        except Exception as error:
            _meet(self.ranks, error)
            raise


def serve_as_worker(machine: "Machine") -> None:
    """In another process than the first: trains what the first one trains, until that lets it go.

    Raises:
        ProcessesLostError: when the processes can no longer train together.
    """
    ranks, nothing = _joined(machine), cast(Any, None)
    while job := ranks.broadcast_object(nothing):
        train, arguments, named = job
        try:
            train(*arguments, **named)
        except Exception as error:
            _meet(ranks, error)


def _joined(machine: "Machine") -> "ProcessGroup":

    try:
        device = select_device(machine.device)
        return init_process_group(device, synchronised_batch_norm=machine.synchronised_batch_norm)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _meet(ranks: "ProcessGroup", error: Exception) -> None:
    """After an error: makes sure that it has ended this training, and this training alone, everywhere."""
    try:
        ranks.barrier(SECONDS_TO_MEET)
    except RuntimeError as missing:
        raise ProcessesLostError(
            f"process {ranks.rank} of {ranks.count} has stopped a training, but not all others: {error}. "
            "The last epoch's checkpoint is kept; give the same command again to go on."
        ) from missing
