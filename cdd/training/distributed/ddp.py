"""Process group of a torchrun launch, on one host or many, through Lightning Fabric's DDP."""

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
from cdd.training.distributed.process_group import ProcessGroup
from cdd.training.distributed.sync_batch_norm import synchronise

T = TypeVar("T")

LONGEST_WAIT = timedelta(days=30)
"""Timeout of the control group: rank 0 may evaluate, plan or wait for a lock for hours."""


class DDPProcessGroup(ProcessGroup):
    """The process group of a torchrun launch.

    Collectives on tensors use the device's backend (NCCL, Gloo). Collectives on Python objects use a second
    Gloo group without a practical timeout, so that no long wait for rank 0 ends the run.
    """

    def __init__(self, device: str):
        """Joins the group that torchrun's environment describes; blocks until every process has joined."""
        self._strategy = _launched(device)
        self._control = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def local_device(self, device: torch.device) -> torch.device:
        """The device with its index, since every thread starts with device 0 as its current one."""
        return self._strategy.root_device

    def all_gather(self, shares: Sequence[Tensor]) -> list[Tensor]:
        """The rows of all ranks, in rank order; one collective for all tensors together.

        Every process differentiates the same losses of the same rows, and DDP averages the gradients of the
        weights. The gradient of a share is therefore the gradient of its own rows, multiplied by the number
        of processes; the backward pass needs no communication.
        """
        gathered: tuple[Tensor, ...] = _Gathered.apply(self.rank, self.count, *shares)  # type: ignore[no-untyped-call]
        return list(gathered)

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """The network in DDP, with rank 0's weights on every rank.

        Running statistics are not broadcast at every step: training never reads them.
        """
        self.frozen(network)
        with warnings.catch_warnings():
            # torch renames the switch for buffers, and the new name is not in all versions.
            warnings.simplefilter("ignore", FutureWarning)
            return self._strategy.setup_module(network)

    def frozen(self, network: nn.Module) -> None:
        """Synchronises the network's batch norms where `synchronised_batch_norm` is set."""
        if self.synchronised_batch_norm:
            synchronise(network)

    def no_sync(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        """DDP's context manager for gradient accumulation."""
        if not isinstance(wrapped, DistributedDataParallel):
            raise ValueError(f"gradients of a {type(wrapped).__name__} are not reduced: wrap it first")
        return wrapped.no_sync()

    def all_reduce_mean_(self, tensors: Iterable[Tensor]) -> None:
        """Averages all tensors in one collective."""
        averaged = list(tensors)
        if not averaged:
            return
        flat = torch.cat([tensor.detach().flatten() for tensor in averaged])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(averaged, flat.split([tensor.numel() for tensor in averaged]), strict=True):
            tensor.detach().copy_(mean.view_as(tensor))

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """Broadcasts each tensor in its own collective."""
        for tensor in tensors:
            dist.broadcast(tensor.detach(), src=0)

    def all_gather_object(self, value: T) -> list[T]:
        """The pickled values of all ranks."""
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value, group=self._control)
        return values

    def broadcast_object(self, value: T) -> T:
        """The pickled value of rank 0."""
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self._control)
        return values[0]

    def run_on_rank_zero(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work` on rank 0, or its error's text, broadcast to the other ranks."""
        if not self.is_first:
            result, error = self.broadcast_object((None, ""))
            if error:
                raise OtherProcessError(f"the first process has stopped this training: {error}")
            return result  # type: ignore[return-value]
        try:
            value = work(*arguments)
        except Exception as error:
            self.broadcast_object((None, f"{type(error).__name__}: {error}"))
            raise
        self.broadcast_object((value, ""))
        return value

    def run_on_all_ranks(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of `work` on this rank; the errors of all ranks are gathered afterwards."""
        try:
            result = work(*arguments)
        except Exception as error:
            self.all_gather_object(f"{type(error).__name__}: {error}")
            raise
        errors = [
            f"process {rank}: {error}" for rank, error in enumerate(self.all_gather_object("")) if error
        ]
        if errors:
            raise OtherProcessError("; ".join(errors))
        return result

    def barrier(self, seconds: float) -> None:
        """Waits for every rank; the error of a timeout names the missing ranks."""
        dist.monitored_barrier(self._control, timeout=timedelta(seconds=seconds), wait_all_ranks=True)


class _Gathered(torch.autograd.Function):
    """Rows of all ranks; the gradient of a share is explained in the method that applies this function."""

    @staticmethod
    def forward(ctx: Any, rank: int, count: int, *shares: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.rank, ctx.count, ctx.rows = rank, count, len(shares[0])
        # As bytes, because tensors may differ in type and Gloo does not support all types.
        packed = torch.cat([share.reshape(ctx.rows, -1).view(torch.uint8) for share in shares], dim=1)
        gathered = packed.new_empty(count * ctx.rows, packed.shape[1])
        dist.all_gather(list(gathered.chunk(count)), packed)
        widths = [share[0].numel() * share.element_size() for share in shares]
        packed_columns = zip(gathered.split(widths, dim=1), shares, strict=True)
        return tuple(
            column.contiguous().view(share.dtype).view(-1, *share.shape[1:])
            for column, share in packed_columns
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        rows = slice(ctx.rank * ctx.rows, (ctx.rank + 1) * ctx.rows)
        return None, None, *(None if g is None else g[rows] * ctx.count for g in gradients)


def _launched(device: str) -> Strategy:
    """Fabric's DDP strategy, after all processes have joined the group."""
    # Fabric logs a banner in every process; the strides of 1x1 convolutions do not matter.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    local_world_size, world_size = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device,
        devices=local_world_size,
        num_nodes=world_size // local_world_size,
        strategy=DDPStrategy(cluster_environment=TorchElasticEnvironment(), broadcast_buffers=False),
    )
    fabric.launch()
    return fabric.strategy
