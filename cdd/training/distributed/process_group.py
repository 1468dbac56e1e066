"""Process-group abstraction: rank, world size and collectives.

Every process runs the forward pass of its share of a batch, then gathers the outputs of the whole batch in
the order of a single process. Losses, mining, masks and queues are therefore equal to those of a
single-process run, on every rank.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor, nn

from cdd.errors import RunError

T = TypeVar("T")


class ProcessGroup:
    """The process group of a single process: every collective returns its argument.

    Attributes:
        rank: of this process, from 0.
        count: number of processes (world size).
        synchronised_batch_norm: whether batch norms use the statistics of the whole batch.
    """

    rank, count, synchronised_batch_norm = 0, 1, False

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, the only rank that evaluates, writes files and calls observers."""
        return self.rank == 0

    def local_device(self, device: torch.device) -> torch.device:
        """The device of this rank, among the devices of the same type."""
        return device

    def all_gather(self, shares: Sequence[Tensor]) -> list[Tensor]:
        """The rows of all ranks, differentiable, in the order of a single process."""
        return list(shares)

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """The module to call instead of the network, so that gradients are averaged over the ranks."""
        return network

    def frozen(self, network: nn.Module) -> None:
        """Prepares a network that is not trained (a teacher) for this group."""

    def no_sync(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """A context whose backward passes accumulate local gradients; the next pass outside reduces them."""
        return nullcontext()

    def all_reduce_mean_(self, tensors: Iterable[Tensor]) -> None:
        """Replaces each tensor, in place, by its mean over the ranks."""

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """Replaces each tensor, in place, by the tensor of rank 0."""

    def all_gather_object(self, value: T) -> list[T]:
        """The values of all ranks, in rank order."""
        return [value]

    def broadcast_object(self, value: T) -> T:
        """The value of rank 0; the other ranks wait without a practical timeout."""
        return value

    def run_on_rank_zero(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work` run on rank 0, on every rank; the other ranks wait.

        Raises:
            OtherProcessError: on the other ranks, if `work` failed on rank 0.
        """
        return work(*arguments)

    def run_on_all_ranks(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work` on this rank; every rank runs it, without collectives inside.

        Raises:
            OtherProcessError: if `work` failed on another rank only.
        """
        return work(*arguments)

    def barrier(self, seconds: float) -> None:
        """Waits until every rank has reached this barrier.

        Raises:
            RuntimeError: if a rank has not reached the barrier in time.
        """


SINGLE_PROCESS = ProcessGroup()
_present: ContextVar[ProcessGroup] = ContextVar("ranks", default=SINGLE_PROCESS)


def current_process_group() -> ProcessGroup:
    """The process group that this process has joined; `ALONE` by default."""
    return _present.get()


def set_process_group(ranks: ProcessGroup) -> None:
    """Sets the current process group."""
    _present.set(ranks)


def sync_and_check_replicas(student: nn.Module, distiller: nn.Module, ranks: ProcessGroup) -> None:
    """Averages the running statistics over the ranks and checks that all other tensors are equal.

    Raises:
        RunError: if parameters, queues or masks of two ranks differ in a bit.
    """
    ranks.all_reduce_mean_(buffer for buffer in student.buffers() if buffer.is_floating_point())
    tensors = [*student.parameters(), *distiller.parameters(), *distiller.buffers()]
    checksums = ranks.all_gather_object(
        [_sum_of_bytes(tensor) for tensor in tensors] if ranks.count > 1 else []
    )
    if any(rank_checksums != checksums[0] for rank_checksums in checksums):
        raise RunError(
            "the processes no longer have the same student, because their devices round differently: use "
            "devices of one kind, and --deterministic. The checkpoint of the epoch before is kept."
        )


def _sum_of_bytes(tensor: Tensor) -> int:
    return int(tensor.detach().contiguous().view(-1).view(torch.uint8).sum(dtype=torch.int64))
