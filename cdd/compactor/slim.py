"""A student that trains gets smaller: rows of its compactors that are zero for good are taken out.

With the row goes the input of the next 1x1 convolution that reads its channel. The 3x3 convolution keeps
all its outputs, since every other row reads them and the distillation compares them.
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
    """What a parameter has lost.

    Attributes:
        parameter: smaller than before, but the same object, so whoever holds it still does.
        axis: along which entries have gone.
        left: positions, before the cut, of the entries that are left.
    """

    parameter: Tensor
    axis: int
    left: Int[Tensor, " left"]

    def of(self, values: Tensor) -> Tensor:
        """The entries that are left of anything that has the shape which the parameter had."""
        # A clone, because a 1x1 weight's strides are ambiguous and kernels are chosen by them.
        return values.index_select(self.axis, self.left).clone(memory_format=torch.contiguous_format)


def remove(network: RetrievalNetwork, dead: Sequence[Bool[Tensor, "_"]]) -> list[Cut]:
    """Takes rows out of the network in place, and says which parameters have lost what.

    Rows of zeros without momentum and task gradient change nothing by leaving, up to rounding; any other
    row leaves as if it had been set to zero. Gradients of what was cut are discarded.

    Args:
        network: with a compactor behind the 3x3 convolution of every bottleneck.
        dead: per bottleneck, the channels to take out; those that are out already may be named again.

    Raises:
        ValueError: without compactors, for masks that do not fit, or a block that would keep no channel.
    """
    blocks = network.bottlenecks
    if len(dead) != len(blocks):
        raise ValueError(f"{len(dead)} masks of dead channels came, but there are {len(blocks)} bottlenecks")
    chosen = [_left(number + 1, *pair) for number, pair in enumerate(zip(blocks, dead, strict=True))]
    cuts = []
    for block, left in zip(blocks, chosen, strict=True):
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
    """Per bottleneck, true for the channels that are out; nothing where none is."""
    layers = [b.compactor for b in network.bottlenecks if isinstance(b.compactor, Compactor)]
    if all(len(layer.rows) == layer.in_channels for layer in layers):
        return []
    return [~layer.widened(torch.ones_like(layer.rows, dtype=torch.bool)) for layer in layers]


def restored(network: RetrievalNetwork) -> RetrievalNetwork:
    """The network with all its rows: zeros where one was taken out. The network itself if it has them."""
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
    """Positions among the present rows of those that stay."""
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
