"""Computing environment of a run: device, precision, versions."""

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
    """Device and input folders of a run; not part of the recipe.

    Attributes:
        device: `auto`, `cpu`, `cuda` or `mps`.
        data_root: folder of the real data sets; not needed for embedded data.
        imagenet: file, or folder of files, with ImageNet weights; downloaded by torchvision if None.
        compiled: whether networks are compiled by `torch.compile`, which changes the last digits.
        deterministic: whether only bitwise reproducible kernels are used; slower on GPUs.
        synchronised_batch_norm: whether batch norms use the statistics of the whole batch instead of each
            rank's share. With it, a run on several processes equals the single-process run, so it is not part
            of the recipe, and neither is the number of processes.
    """

    device: str = "auto"
    data_root: Path | None = None
    imagenet: Path | None = None
    compiled: bool = False
    deterministic: bool = False
    synchronised_batch_norm: bool = False


def prepare(machine: Machine) -> torch.device:
    """The device of this machine, after torch's global settings have been applied.

    Raises:
        ValueError: for a device that is unknown or not available.
    """
    device = select_device(machine.device)
    torch.use_deterministic_algorithms(machine.deterministic)
    torch.backends.cudnn.benchmark = not machine.deterministic
    if machine.deterministic:
        # Required by cuBLAS for reproducible results; read when CUDA is initialised.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return device


@contextmanager
def threads_restored() -> Iterator[None]:
    """A context after which torch has its present number of threads again."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def select_device(name: str) -> torch.device:
    """The device of this name; `auto` prefers CUDA to MPS to the CPU.

    Raises:
        ValueError: for a device that is unknown or not available.
    """
    device_counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if device_counts[kind]))
    match = _DEVICE.fullmatch(name)
    kind, index = (match[1], int(match[2] or 0)) if match else (name, 0)
    if index >= device_counts.get(kind, 0):
        usable = [
            device if count == 1 else f"{device}:0..{count - 1}"
            for device, count in device_counts.items()
            if count
        ]
        raise ValueError(f"device {name!r} is not available: choose auto or one of {', '.join(usable)}")
    return torch.device(name)


def autocast_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """The autocast type of the recipe's precision on this device."""
    if recipe.precision != "mixed":
        dtype: torch.dtype = getattr(torch, recipe.precision)
        return dtype
    if has_native_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device has native bfloat16 arithmetic, not an emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def device_name(device: torch.device) -> str:
    """Human-readable name of the device: the model of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor()


@cache
def processor() -> str:
    """Model name of the processor if `/proc/cpuinfo` has one, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def describe(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Device, number of threads, precision and versions, as stored with a run's result."""
    return {
        "device": device.type,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "autocast": str(dtype).removeprefix("torch."),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
