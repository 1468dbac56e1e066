"""Whether torchrun has started several processes, and how this one joins them."""

import os

import torch

from cdd.training.distributed.ddp import Several
from cdd.training.distributed.process_group import ALONE, Ranks, enter, present


def started() -> int:
    """How many processes torchrun has started; 1 where this one was started otherwise."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def join(device: torch.device, *, synchronised_batch_norm: bool = False) -> Ranks:
    """All processes that torchrun started, speaking to each other; `ALONE` where it started no others.

    Blocks until all of them call this, and is done once per process: CUDA's current device is then its own.

    Raises:
        ValueError: for a device that several processes cannot use.
    """
    if started() == 1:
        return ALONE
    if present() is ALONE:
        _require_shareable(device)

        enter(Several(device.type))
    joined = present()
    joined.synchronised_batch_norm = synchronised_batch_norm
    return joined


def _require_shareable(device: torch.device) -> None:
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if str(device) not in ("cpu", "cuda"):
        raise ValueError(f"{here} processes cannot share device {device}: use cpu or cuda without a number")
    if device.type == "cuda" and here > torch.cuda.device_count():
        raise ValueError(
            f"{here} processes were started on this host, but it has {torch.cuda.device_count()} GPUs: start "
            "one process per GPU"
        )
