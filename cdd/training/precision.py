"""Autocast and loss scaling, through Lightning Fabric's plugins."""

import torch
from lightning_fabric.plugins.precision import MixedPrecision, Precision


def precision_plugin(device: torch.device, dtype: torch.dtype) -> Precision:
    """What wraps forward pass, backward pass and step: nothing, bfloat16 autocast, or float16 with scaling.

    Under float16 the loss is scaled before the backward pass; `unscale_gradients` undoes that, and a
    step whose gradients have overflown is left out. Its `state_dict` holds the scale.
    """
    if dtype is torch.float32:
        return Precision()
    return MixedPrecision("16-mixed" if dtype is torch.float16 else "bf16-mixed", device.type)
