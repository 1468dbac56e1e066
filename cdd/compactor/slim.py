"""Removal of dead rows from the compactors of a student during training.

The input of the next 1x1 convolution that reads the row's channel is removed as well. The 3x3 convolution
keeps all its outputs, since every other row reads them and the distillation compares them.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cdd.compactor.layer import Compactor
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import Bottleneck


@dataclass(frozen=True)
class Cut:
    """Entries removed from a parameter.

    Attributes:
        parameter: smaller than before, but the same object, so references to it remain valid.
        axis: the axis along which entries were removed.
        left: positions, before the cut, of the remaining entries.
    """

    parameter: Tensor
    axis: int
    left: Int[Tensor, " left"]

    def of(self, values: Tensor) -> Tensor:
        """The remaining entries of a tensor with the parameter's former shape (its gradient or momentum)."""
        # A clone, because a 1x1 weight's strides are ambiguous and kernels are chosen by them.
        return values.index_select(self.axis, self.left).clone(memory_format=torch.contiguous_format)


def remove(network: RetrievalNetwork, dead: Sequence[Bool[Tensor, "_"]]) -> list[Cut]:
    """The cuts made by removing dead rows from the network, in place.

    Removing rows of zeros without momentum and task gradient does not change training, up to rounding; any
    other row is treated as zero. Gradients of cut parameters are discarded.

    Args:
        network: with a compactor behind the 3x3 convolution of every bottleneck.
        dead: per bottleneck, the channels to remove; may include channels removed before.

    Raises:
        ValueError: without compactors, for masks that do not fit, or a block that would keep no channel.
    """
    blocks = network.bottlenecks
    if len(dead) != len(blocks):
        raise ValueError(f"{len(dead)} masks of dead channels came, but there are {len(blocks)} bottlenecks")
    remaining_rows = [_left(number + 1, *pair) for number, pair in enumerate(zip(blocks, dead, strict=True))]
    cuts = []
    for block, left in zip(blocks, remaining_rows, strict=True):
        compactor = block.compactor
        if isinstance(compactor, Compactor) and len(left) < len(compactor.rows):
            compactor.rows = compactor.rows[left]
            compactor.out_channels = block.conv3.in_channels = len(left)
            cuts += [Cut(compactor.weight, 0, left), Cut(block.conv3.weight, 1, left)]
    for cut in cuts:
        cut.parameter.grad = None
        cut.parameter.data = cut.of(cut.parameter.data)
    return cuts


def removed(network: RetrievalNetwork) -> list[Bool[Tensor, "_"]]:
    """Masks of the removed channels, per bottleneck; empty if none is removed."""
    layers = [b.compactor for b in network.bottlenecks if isinstance(b.compactor, Compactor)]
    if all(len(layer.rows) == layer.in_channels for layer in layers):
        return []
    return [~layer.widened(torch.ones_like(layer.rows, dtype=torch.bool)) for layer in layers]


def restored(network: RetrievalNetwork) -> RetrievalNetwork:
    """The network with zeros in place of its removed rows; the network itself if none is removed."""
    if not removed(network):
        return network
    copy = deepcopy(network)
    for block in copy.bottlenecks:
        compactor = block.compactor
        if isinstance(compactor, Compactor):
            compactor.weight.data = compactor.widened(compactor.weight.data)
            block.conv3.weight.data = compactor.widened(block.conv3.weight.data, axis=1)
            compactor.out_channels = block.conv3.in_channels = compactor.in_channels
            compactor.rows = torch.arange(compactor.in_channels, device=compactor.rows.device)
    return copy


def _left(number: int, block: Bottleneck, dead: Tensor) -> Tensor:
    """Positions, among the present rows, of the rows that remain."""
    compactor = block.compactor
    if not isinstance(compactor, Compactor):
        raise ValueError(f"block {number} has no compactor whose rows could be taken out")
    if dead.dtype != torch.bool or dead.shape != (compactor.in_channels,):
        raise ValueError(
            f"the mask of block {number}'s dead channels is {dead.dtype} of shape {tuple(dead.shape)}: use "
            f"torch.bool of shape ({compactor.in_channels},)"
        )
    left = (~dead.to(compactor.rows.device)[compactor.rows]).nonzero().flatten()
    if not len(left):
        raise ValueError(f"block {number} would keep no channel: leave one row of its compactor")
    return left
