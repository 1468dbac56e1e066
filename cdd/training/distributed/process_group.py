"""What a process knows of the others that train the same student: which it is, and how they speak.

Every process computes with its share of a batch, then sees the outputs for the whole batch in the order of
one process. Losses, mining, masks and queues are therefore those of one process, and the same everywhere.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor, nn

from cdd.errors import RunError

T = TypeVar("T")


class Ranks:
    """A process that is alone: it is the first, and has nobody to speak to.

    Attributes:
        rank: of this process, from 0.
        count: of all processes.
        synchronised_batch_norm: whether batch norms see the images of all processes.
    """

    rank, count, synchronised_batch_norm = 0, 1, False

    @property
    def is_first(self) -> bool:
        """Whether this process evaluates, writes and observes."""
        return self.rank == 0

    def own(self, device: torch.device) -> torch.device:
        """Which of the devices of this kind is this process's."""
        return device

    def gathered(self, shares: Sequence[Tensor]) -> list[Tensor]:
        """The rows of all processes, differentiable, in the order of one process."""
        return list(shares)

    def wrapped(self, network: nn.Module) -> nn.Module:
        """What is called in the network's place, so that its gradients are averaged over the processes."""
        return network

    def frozen(self, network: nn.Module) -> None:
        """Readies a network that is not trained."""

    def reduced_later(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """Inside, a backward pass adds to this process's gradients alone; a later one averages their sum."""
        return nullcontext()

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replaces each tensor, in place, by its mean over the processes."""

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Replaces each tensor, in place, by that of the first process."""

    def each(self, value: T) -> list[T]:
        """What every process has here, by rank."""
        return [value]

    def from_first(self, value: T) -> T:
        """What the first process has here; the others wait for as long as it takes."""
        return value

    def first_does(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of what only the first process does, while the others wait.

        Raises:
            OtherProcessError: in the others, where the work failed.
        """
        return work(*arguments)

    def all_do(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of what every process does without speaking to the others.

        Raises:
            OtherProcessError: where the work failed in another process alone.
        """
        return work(*arguments)

    def meet(self, seconds: float) -> None:
        """Waits until every process has come here.

        Raises:
            RuntimeError: where some have not come in time.
        """


ALONE = Ranks()
_present: ContextVar[Ranks] = ContextVar("ranks", default=ALONE)


def present() -> Ranks:
    """The processes that this one has joined; `ALONE` where it has joined none."""
    return _present.get()


def enter(ranks: Ranks) -> None:
    """Makes these the processes that `present` gives."""
    _present.set(ranks)


def reunite(student: nn.Module, distiller: nn.Module, ranks: Ranks) -> None:
    """Ends an epoch: running statistics become those of all shares, and the rest must be equal already.

    Raises:
        RunError: where parameters, queues or masks of the processes differ in a bit.
    """
    ranks.average(buffer for buffer in student.buffers() if buffer.is_floating_point())
    tensors = [*student.parameters(), *distiller.parameters(), *distiller.buffers()]
    found = ranks.each([_sum_of_bytes(tensor) for tensor in tensors] if ranks.count > 1 else [])
    if any(sums != found[0] for sums in found):
        raise RunError(
            "the processes no longer have the same student, because their devices round differently: use "
            "devices of one kind, and --deterministic. The checkpoint of the epoch before is kept."
        )


def _sum_of_bytes(tensor: Tensor) -> int:
    return int(tensor.detach().contiguous().view(-1).view(torch.uint8).sum(dtype=torch.int64))
