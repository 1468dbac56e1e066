"""Autocast and loss scaling, through Lightning Fabric's plugins."""

import torch
from lightning_fabric.plugins.precision import MixedPrecision, Precision


def precision_plugin(device: torch.device, dtype: torch.dtype) -> Precision:
    """Fabric's plugin for float32, bfloat16 autocast, or float16 autocast with loss scaling.

    Under float16 the loss is scaled before the backward pass, `unscale_gradients` unscales the gradients,
    and a step whose gradients have overflowed is skipped. The scale is part of the plugin's `state_dict`.
    """
    if dtype is torch.float32:
        return Precision()
    return MixedPrecision("16-mixed" if dtype is torch.float16 else "bf16-mixed", device.type)
