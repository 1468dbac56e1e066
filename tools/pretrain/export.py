"""A trained backbone as a file that can be shipped, and the card that goes with it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from cdd.files import atomic_write


def rounded(module: nn.Module) -> None:
    """Rounds every number of a module to float16, as in the file."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.half().float()


def write_weights(backbone: nn.Module, card: dict[str, Any], folder: Path, name: str) -> str:
    """SHA-256 of `<name>.safetensors`, which is written with its card, `<name>.json`, beside it.

    Args:
        card: what is told about the weights; its `network` says which network they fit. The file's own
            metadata has the same.

    Raises:
        OverflowError: for a number that float16 cannot hold.
    """

    tensors = {key: _half(key, value) for key, value in backbone.state_dict().items()}
    # One entry: several would be written in an order that changes from run to run.
    content = save(tensors, metadata={"card": json.dumps(card)})
    digest = hashlib.sha256(content).hexdigest()
    atomic_write(folder / f"{name}.safetensors", content)
    text = json.dumps({**card, "sha256": digest}, indent=1) + "\n"
    atomic_write(folder / f"{name}.json", text)
    return digest


def _half(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    half = value.detach().to(torch.float16, memory_format=torch.contiguous_format)
    if not half.isfinite().all():
        raise OverflowError(f"{name} has numbers that float16 cannot hold")
    return half
