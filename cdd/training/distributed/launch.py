"""World size of a torchrun launch, and initialisation of its process group."""

import os

import torch

from cdd.training.distributed.ddp import DDPProcessGroup
from cdd.training.distributed.process_group import (
    SINGLE_PROCESS,
    ProcessGroup,
    current_process_group,
    set_process_group,
)


def world_size() -> int:
    """Number of processes that torchrun started; 1 for a process that torchrun did not start."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def init_process_group(device: torch.device, *, synchronised_batch_norm: bool = False) -> ProcessGroup:
    """The process group of this torchrun launch; `ALONE` without torchrun or with a single process.

    Blocks until every process of the launch calls this function. Later calls return the same group.
    CUDA's current device is then the one of this rank.

    Raises:
        ValueError: for a device that several processes cannot use.
    """
    if world_size() == 1:
        return SINGLE_PROCESS
    if current_process_group() is SINGLE_PROCESS:
        _require_shareable(device)

        set_process_group(DDPProcessGroup(device.type))
    group = current_process_group()
    group.synchronised_batch_norm = synchronised_batch_norm
    return group


def _require_shareable(device: torch.device) -> None:
    local_world_size = int(os.environ["LOCAL_WORLD_SIZE"])
    if str(device) not in ("cpu", "cuda"):
        raise ValueError(
            f"{local_world_size} processes cannot share device {device}: use cpu or cuda without a number"
        )
    if device.type == "cuda" and local_world_size > torch.cuda.device_count():
        raise ValueError(
            f"{local_world_size} processes were started on this host, but it has "
            f"{torch.cuda.device_count()} GPUs: start one process per GPU"
        )
