"""Several processes that torchrun started, on one host or many, through Lightning Fabric's DDP."""

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.strategy import Strategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cdd.errors import OtherProcessError
from cdd.training.distributed.process_group import Ranks
from cdd.training.distributed.sync_batch_norm import synchronise

T = TypeVar("T")

LONGEST_WAIT = timedelta(days=30)
"""For what the first process does alone: it may evaluate, plan or wait for a lock for hours."""


class Several(Ranks):
    """This process among the others.

    Tensors travel through the device's own backend (NCCL, Gloo). Errors and what only the first process does
    travel through a second group without a practical time limit, so that no long wait ends the run.
    """

    def __init__(self, device: str):
        """Joins the processes that torchrun's environment names; blocks until all of them do."""
        self._strategy = _launched(device)
        self._control = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def own(self, device: torch.device) -> torch.device:
        """By number, since a thread's current device is the first one."""
        return self._strategy.root_device

    def gathered(self, shares: Sequence[Tensor]) -> list[Tensor]:
        """Rank by rank, which is the order of one process; one collective for all tensors together.

        Every process differentiates the same losses of the same rows, and DDP averages what reaches the
        weights. The gradient of a share is therefore this process's own rows of it, times the number of
        processes, and needs no communication.
        """
        whole: tuple[Tensor, ...] = _Gathered.apply(self.rank, self.count, *shares)  # type: ignore[no-untyped-call]
        return list(whole)

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network in DDP, which starts from the first process's weights.

        Running statistics are not sent at every step: training never reads them.
        """
        self.frozen(network)
        with warnings.catch_warnings():
            # torch renames the switch for buffers, and the new name is not in all versions.
            warnings.simplefilter("ignore", FutureWarning)
            return self._strategy.setup_module(network)

    def frozen(self, network: nn.Module) -> None:
        """Lets its batch norms see the whole batch where this is asked for."""
        if self.synchronised_batch_norm:
            synchronise(network)

    def reduced_later(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """DDP's own way to add up gradients."""
        if not isinstance(wrapped, DistributedDataParallel):
            raise ValueError(f"gradients of a {type(wrapped).__name__} are not reduced: wrap it first")
        return wrapped.no_sync()

    def average(self, tensors: Iterable[Tensor]) -> None:
        """One collective for all tensors together."""
        kept = list(tensors)
        if not kept:
            return
        flat = torch.cat([tensor.detach().flatten() for tensor in kept])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(kept, flat.split([tensor.numel() for tensor in kept]), strict=True):
            tensor.detach().copy_(mean.view_as(tensor))

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Tensor by tensor."""
        for tensor in tensors:
            dist.broadcast(tensor.detach(), src=0)

    def each(self, value: T) -> list[T]:
        """Pickled."""
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value, group=self._control)
        return found

    def from_first(self, value: T) -> T:
        """Pickled."""
        sent = [value]
        dist.broadcast_object_list(sent, src=0, group=self._control)
        return sent[0]

    def first_does(self, work: Callable[..., T], *arguments: object) -> T:
        """Sends the result, or the error's text, to the others."""
        if not self.is_first:
            result, error = self.from_first((None, ""))
            if error:
                raise OtherProcessError(f"the first process has stopped this training: {error}")
            return result  # type: ignore[return-value]
        try:
            found = work(*arguments)
        except Exception as error:
            self.from_first((None, f"{type(error).__name__}: {error}"))
            raise
        self.from_first((found, ""))
        return found

    def all_do(self, work: Callable[..., T], *arguments: object) -> T:
        """Compares afterwards who failed."""
        try:
            found = work(*arguments)
        except Exception as error:
            self.each(f"{type(error).__name__}: {error}")
            raise
        errors = [f"process {rank}: {error}" for rank, error in enumerate(self.each("")) if error]
        if errors:
            raise OtherProcessError("; ".join(errors))
        return found

    def meet(self, seconds: float) -> None:
        """Names the processes that are missing."""
        dist.monitored_barrier(self._control, timeout=timedelta(seconds=seconds), wait_all_ranks=True)


class _Gathered(torch.autograd.Function):
    """Rows of all processes; `gathered` says why its gradient is what it is."""

    @staticmethod
    def forward(ctx: Any, rank: int, count: int, *shares: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.rank, ctx.count, ctx.rows = rank, count, len(shares[0])
        # As bytes, because tensors may differ in type and Gloo does not know all of them.
        packed = torch.cat([share.reshape(ctx.rows, -1).view(torch.uint8) for share in shares], dim=1)
        whole = packed.new_empty(count * ctx.rows, packed.shape[1])
        dist.all_gather(list(whole.chunk(count)), packed)
        widths = [share[0].numel() * share.element_size() for share in shares]
        columns = zip(whole.split(widths, dim=1), shares, strict=True)
        return tuple(
            column.contiguous().view(share.dtype).view(-1, *share.shape[1:]) for column, share in columns
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        own = slice(ctx.rank * ctx.rows, (ctx.rank + 1) * ctx.rows)
        return None, None, *(None if g is None else g[own] * ctx.count for g in gradients)


def _launched(device: str) -> Strategy:
    """Fabric's strategy, after the processes have met."""
    # Fabric announces itself in every process; the strides of 1x1 convolutions are of no account.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    here, all_processes = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device,
        devices=here,
        num_nodes=all_processes // here,
        strategy=DDPStrategy(cluster_environment=TorchElasticEnvironment(), broadcast_buffers=False),
    )
    fabric.launch()
    return fabric.strategy
