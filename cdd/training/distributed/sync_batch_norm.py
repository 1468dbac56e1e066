"""Batch norms synchronised over all ranks, for every device.

`torch.nn.SyncBatchNorm` supports CUDA only.
"""

from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


class _Synchronised(nn.Module):
    """Mixin placed before a batch norm class: replaces the forward pass of training."""

    def forward(self, images: Tensor) -> Tensor:
        """Normalises by the statistics of all ranks in training, by the running statistics otherwise."""
        if not (isinstance(self, nn.BatchNorm1d | nn.BatchNorm2d) and self.training):
            return cast(Tensor, super().forward(images))
        normalised, mean, variance = _normalised(images, self.weight, self.bias, self.eps)
        self._update_running_statistics(mean, variance, images.numel() // len(mean) * dist.get_world_size())
        return normalised

    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if not (isinstance(self, nn.BatchNorm1d | nn.BatchNorm2d) and self.track_running_stats):
            return
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class SynchronisedBatchNorm1d(_Synchronised, nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the vectors of all ranks."""


class SynchronisedBatchNorm2d(_Synchronised, nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the feature maps of all ranks."""


SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: SynchronisedBatchNorm1d,
    nn.BatchNorm2d: SynchronisedBatchNorm2d,
}


def synchronise(network: nn.Module) -> None:
    """Replaces the network's batch norms, in place, by synchronised ones; parameters are kept."""
    for module in network.modules():
        if type(module) in SYNCHRONISED:
            module.__class__ = SYNCHRONISED[type(module)]


def _normalised(images: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    outputs: tuple[Tensor, Tensor, Tensor] = _Normalised.apply(images, weight, bias, eps)  # type: ignore[no-untyped-call]
    return outputs


class _Normalised(torch.autograd.Function):
    """Images normalised by mean and variance over all ranks, and both; every share has the same size."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        axes = [0, *range(2, images.ndim)]
        variance, mean = torch.var_mean(images.to(weight.dtype), axes, correction=0)
        # Mean of the shares' variances plus variance of their means: no difference of large numbers.
        means, variances = _of_all(torch.stack([mean, variance])).unbind(1)
        mean, variance = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        ctx.save_for_backward(images, weight, mean, (variance + eps).rsqrt())
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(images, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, scale = ctx.saved_tensors
        axes, shape = [0, *range(2, images.ndim)], [1, -1, *[1] * (images.ndim - 2)]
        normal = (images - mean.view(shape)) * scale.view(shape)
        local_sums = torch.stack([gradient.sum(axes, dtype=mean.dtype), (gradient * normal).sum(axes)])
        count = images.numel() // len(mean) * dist.get_world_size()
        mean_gradients = (_of_all(local_sums).sum(0) / count).view(2, *shape)
        gradients = (gradient - mean_gradients[0] - normal * mean_gradients[1]) * (weight * scale).view(shape)
        return gradients.to(images.dtype), local_sums[1], local_sums[0], None


def _of_all(tensor: Tensor) -> Tensor:
    """The tensors of all ranks, stacked."""
    tensors = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(tensors, tensor)
    return torch.stack(tensors)
