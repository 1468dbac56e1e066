"""Batch norms that see the images of all processes.

torch has one for CUDA alone; this one is a few lines of plain operations, for every device.
"""

from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


class _Synchronised(nn.Module):
    """Placed before a batch norm in its method resolution: replaces the forward pass of training."""

    def forward(self, images: Tensor) -> Tensor:
        """By the statistics of all processes in training, by the running ones else."""
        if not (isinstance(self, nn.BatchNorm1d | nn.BatchNorm2d) and self.training):
            return cast(Tensor, super().forward(images))
        normalised, mean, variance = _normalised(images, self.weight, self.bias, self.eps)
        self._move(mean, variance, images.numel() // len(mean) * dist.get_world_size())
        return normalised

    def _move(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if not (isinstance(self, nn.BatchNorm1d | nn.BatchNorm2d) and self.track_running_stats):
            return
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class SynchronisedBatchNorm1d(_Synchronised, nn.BatchNorm1d):
    """A batch norm over the vectors of all processes."""


class SynchronisedBatchNorm2d(_Synchronised, nn.BatchNorm2d):
    """A batch norm over the maps of all processes."""


SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: SynchronisedBatchNorm1d,
    nn.BatchNorm2d: SynchronisedBatchNorm2d,
}


def synchronise(network: nn.Module) -> None:
    """Turns the network's batch norms, in place, into ones that see all processes; parameters stay."""
    for module in network.modules():
        if type(module) in SYNCHRONISED:
            module.__class__ = SYNCHRONISED[type(module)]


def _normalised(images: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    found: tuple[Tensor, Tensor, Tensor] = _Normalised.apply(images, weight, bias, eps)  # type: ignore[no-untyped-call]
    return found


class _Normalised(torch.autograd.Function):
    """Normalises by mean and variance of all processes, whose shares are of one size; returns these too."""

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
        own = torch.stack([gradient.sum(axes, dtype=mean.dtype), (gradient * normal).sum(axes)])
        count = images.numel() // len(mean) * dist.get_world_size()
        along = (_of_all(own).sum(0) / count).view(2, *shape)
        found = (gradient - along[0] - normal * along[1]) * (weight * scale).view(shape)
        return found.to(images.dtype), own[1], own[0], None


def _of_all(own: Tensor) -> Tensor:
    """Every process's tensor, stacked."""
    found = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(found, own)
    return torch.stack(found)
