"""The machine a run uses: device, precision, versions."""

import platform
from typing import Any

import torch

from cdd.recipe import Recipe


def select_device(name: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ValueError: for a device that is unknown or not there.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    kind = name.partition(":")[0]
    if not available.get(kind, False):
        usable = ", ".join(kind for kind, there in available.items() if there)
        raise ValueError(f"device {name!r} is not available: choose auto or one of {usable}")
    return torch.device(name)


def autocast_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """What `precision` means on this device: bfloat16 where it is native, else float32."""
    if recipe.precision == "float32":
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def describe(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What a reader must know to judge or repeat a run's numbers."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine()
    )
    return {
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "autocast": str(dtype).removeprefix("torch."),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
