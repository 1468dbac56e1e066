"""The machine a run uses: device, precision, versions."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from cdd.recipe import Recipe

_DEVICE = re.compile(r"(cpu|cuda|mps)(?::([0-9]{1,3}))?")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a run computes and where it finds what it reads: no part of its recipe.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `mps`.
        data_root: folder of the real data sets; embedded data need none.
        imagenet: file, or folder of files, with ImageNet weights; torchvision downloads them else.
        compiled: whether networks pass through `torch.compile`, which moves the last digits.
        deterministic: whether only kernels are used that repeat themselves bit for bit; slower on GPUs.
        synchronised_batch_norm: whether the batch norms of several processes see the whole batch, as those of
            one process do, instead of each process's share. No part of the recipe, as the number of processes
            is not: with it, a run on several of them is the run of one.
    """

    device: str = "auto"
    data_root: Path | None = None
    imagenet: Path | None = None
    compiled: bool = False
    deterministic: bool = False
    synchronised_batch_norm: bool = False


def prepare(machine: Machine) -> torch.device:
    """Sets up torch for this machine and returns its device.

    Raises:
        ValueError: for a device that is unknown or not there.
    """
    device = select_device(machine.device)
    torch.use_deterministic_algorithms(machine.deterministic)
    torch.backends.cudnn.benchmark = not machine.deterministic
    if machine.deterministic:
        # What cuBLAS needs to repeat itself; it is read when CUDA starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return device


@contextmanager
def threads_restored() -> Iterator[None]:
    """Gives torch, at the end, the number of threads back that it has now."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def select_device(name: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ValueError: for a device that is unknown or not there.
    """
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    named = _DEVICE.fullmatch(name)
    kind, number = (named[1], int(named[2] or 0)) if named else (name, 0)
    if number >= there.get(kind, 0):
        usable = [each if count == 1 else f"{each}:0..{count - 1}" for each, count in there.items() if count]
        raise ValueError(f"device {name!r} is not available: choose auto or one of {', '.join(usable)}")
    return torch.device(name)


def autocast_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """What `precision` means on this device."""
    if recipe.precision != "mixed":
        dtype: torch.dtype = getattr(torch, recipe.precision)
        return dtype
    if has_native_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 instead of emulating it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def device_name(device: torch.device) -> str:
    """The device's name for people: the model of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor()


@cache
def processor() -> str:
    """Model of the processor where the system tells it, else its kind."""
    known = Path("/proc/cpuinfo")
    text = known.read_text(encoding="utf-8", errors="replace") if known.exists() else ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def describe(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What a reader must know to judge or repeat a run's numbers."""
    return {
        "device": device.type,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "autocast": str(dtype).removeprefix("torch."),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
