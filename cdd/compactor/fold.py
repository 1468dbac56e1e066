"""Folding of batch norm and compactor into the 3x3 convolution, which makes the network smaller."""

from typing import cast

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from cdd.compactor.select import kept_rows

Kept = Bool[Tensor, " channels"]
"""One value per channel, true where it survives."""


def fold(
    convolution: nn.Conv2d,
    batch_norm: nn.BatchNorm2d,
    compactor: nn.Conv2d,
    next_convolution: nn.Conv2d,
    *,
    threshold: float = 1e-5,
) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The slim pair that replaces convolution - batch norm - compactor - ReLU - next convolution.

    The output equals the unpruned one up to the influence of the dropped rows, each below the
    threshold in norm. The arguments are not modified.

    Args:
        convolution: the 3x3 convolution.
        batch_norm: behind the convolution; its running statistics are folded.
        compactor: 1x1, square, without bias.
        next_convolution: reads the compactor's channels behind the ReLU; keeps its own bias.
        threshold: rows of the compactor below this norm are dropped; at least one is kept.

    Returns:
        The convolution with a bias and only the kept outputs, and the next one with only those inputs.

    Raises:
        ValueError: for grouped convolutions, widths that do not fit, missing running statistics.

    Source: CDD, Section 3.1.2, Equation 4; ResRep, Section 3.2, Equations 4-8.
    """
    kept = kept_rows(compactor.weight, threshold)
    folded = _with_norm(convolution, batch_norm)
    slim = _rebuilt(convolution, *_with_compactor(*folded, compactor, kept))
    return slim, drop_inputs(next_convolution, kept)


def fold_batch_norm(convolution: nn.Conv2d, batch_norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution with a bias that equals convolution and batch norm in evaluation mode.

    Raises:
        ValueError: for a grouped convolution, another width, or a batch norm without running statistics.
    """
    return _rebuilt(convolution, *_with_norm(convolution, batch_norm))


def merge(convolution: nn.Conv2d, compactor: nn.Conv2d, kept: Kept | None = None) -> nn.Conv2d:
    """One convolution with a bias that equals convolution and compactor, at the kept rows only.

    Args:
        convolution: with the batch norm already folded in.
        compactor: 1x1, square, without bias.
        kept: the compactor's rows to compute; all of them by default.

    Raises:
        ValueError: for a grouped convolution, a compactor that does not fit, or a bad mask.
    """
    _require_ungrouped(convolution)
    weight, bias = _double(convolution.weight), _double_bias(convolution)
    return _rebuilt(convolution, *_with_compactor(weight, bias, compactor, kept))


def drop_inputs(convolution: nn.Conv2d, kept: Kept) -> nn.Conv2d:
    """The convolution without the input channels that are not kept; weights and bias copied.

    Raises:
        ValueError: for a grouped convolution or a bad mask.
    """
    _require_ungrouped(convolution)
    kept = _checked(kept, convolution.in_channels).to(convolution.weight.device)
    bias = convolution.bias
    return _rebuilt(
        convolution, convolution.weight.detach()[:, kept], None if bias is None else bias.detach()
    )


def drop_outputs(convolution: nn.Conv2d, kept: Kept) -> nn.Conv2d:
    """The convolution without the output channels that are not kept; weights and bias copied.

    Raises:
        ValueError: for a grouped convolution or a bad mask.
    """
    _require_ungrouped(convolution)
    kept = _checked(kept, convolution.out_channels).to(convolution.weight.device)
    bias = convolution.bias
    return _rebuilt(
        convolution, convolution.weight.detach()[kept], None if bias is None else bias.detach()[kept]
    )


def _with_norm(convolution: nn.Conv2d, batch_norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of convolution and batch norm as one, in float64."""
    _require_ungrouped(convolution)
    mean, variance = batch_norm.running_mean, batch_norm.running_var
    if mean is None or variance is None:
        raise ValueError("The batch norm keeps no running statistics: use track_running_stats=True.")
    if batch_norm.num_features != convolution.out_channels:
        raise ValueError(
            f"The batch norm has {batch_norm.num_features} channels, the convolution before it "
            f"{convolution.out_channels}: they must be equal."
        )
    scale = (_double(variance) + batch_norm.eps).rsqrt()
    if batch_norm.affine:
        scale = scale * _double(batch_norm.weight)
    bias = (_double_bias(convolution) - _double(mean)) * scale
    if batch_norm.affine:
        bias = bias + _double(batch_norm.bias)
    return _double(convolution.weight) * scale[:, None, None, None], bias


def _with_compactor(
    weight: Tensor, bias: Tensor, compactor: nn.Conv2d, kept: Kept | None
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the kept rows of a compactor as one, in float64."""
    channels = len(weight)
    if compactor.weight.shape != (channels, channels, 1, 1) or compactor.bias is not None:
        raise ValueError(
            f"The compactor has a weight of shape {tuple(compactor.weight.shape)}"
            f"{'' if compactor.bias is None else ' and a bias'}, but a convolution with {channels} outputs "
            f"needs ({channels}, {channels}, 1, 1) and no bias."
        )
    rows = _double(compactor.weight).flatten(1)
    if kept is not None:
        rows = rows[_checked(kept, channels)]
    return torch.einsum("ed,dihw->eihw", rows, weight), rows @ bias


def _double(values: Tensor) -> Tensor:
    """The values in float64 on the CPU, so that a fold does not depend on device or precision."""
    return values.detach().to("cpu", torch.float64)


def _double_bias(convolution: nn.Conv2d) -> Tensor:
    """The bias in float64, zeros where there is none."""
    if convolution.bias is None:
        return torch.zeros(convolution.out_channels, dtype=torch.float64)
    return _double(convolution.bias)


def _require_ungrouped(convolution: nn.Conv2d) -> None:
    if convolution.groups != 1:
        raise ValueError(
            f"The convolution has {convolution.groups} groups, but channels can only be merged or dropped "
            "in ungrouped ones: use groups=1."
        )


def _checked(kept: Tensor, channels: int) -> Tensor:
    """The mask on the CPU, after its checks."""
    if kept.dtype != torch.bool or kept.shape != (channels,):
        raise ValueError(
            f"The mask of kept channels is {kept.dtype} of shape {tuple(kept.shape)}: "
            f"use torch.bool of shape ({channels},)."
        )
    kept = kept.cpu()
    if not bool(kept.any()):
        raise ValueError(f"The mask keeps none of {channels} channels: a convolution needs at least one.")
    return kept


def _rebuilt(convolution: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A convolution like the given one, of its device and precision, with other weights."""
    # Made on "meta": drawing initial weights would move the random state.
    rebuilt = nn.Conv2d(
        weight.shape[1],
        weight.shape[0],
        cast(tuple[int, int], convolution.kernel_size),
        stride=cast(tuple[int, int], convolution.stride),
        padding=cast("tuple[int, int]", convolution.padding),
        dilation=cast(tuple[int, int], convolution.dilation),
        bias=bias is not None,
        padding_mode=convolution.padding_mode,
        device="meta",
    )
    like = convolution.weight
    rebuilt.weight = nn.Parameter(weight.to(like, copy=True), requires_grad=like.requires_grad)
    if bias is not None:
        rebuilt.bias = nn.Parameter(bias.to(like, copy=True), requires_grad=like.requires_grad)
    return rebuilt.train(convolution.training)
