"""ShuffleNet for small images: grouped 1x1 convolutions with a shuffle of the channels between them.

Source: Zhang et al., "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile
Devices", CVPR 2018, Table 1, three groups; the benchmark for the 1x1 stem without pooling and for the
ReLU behind the 3x3 convolution, which the paper leaves out.
"""

import torch
from torch import Tensor, nn

from cdd.models.small.staged import Chain, StagedBackbone, normed, relu, scaled

GROUPS = 3
# A fourth of what a block adds must fall into the groups.
MULTIPLE = 4 * GROUPS
STEM = 24
CHANNELS = (240, 480, 960)
BLOCKS = (4, 8, 4)


class HalvingBlock(nn.Module):
    """Block of stride 2: the averaged map concatenated with the additional channels."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.branch = _branch(inputs, outputs - inputs, groups=groups, stride=2)
        self.shortcut = nn.AvgPool2d(3, stride=2, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Both concatenated, before the ReLU."""
        return torch.cat([self.branch(features), self.shortcut(features)], dim=1)


class KeepingBlock(nn.Module):
    """A residual block between equal shapes."""

    def __init__(self, channels: int):
        super().__init__()
        self.branch = _branch(channels, channels, groups=GROUPS, stride=1)

    def forward(self, features: Tensor) -> Tensor:
        """The sum before its ReLU."""
        outputs: Tensor = features + self.branch(features)
        return outputs


def _branch(inputs: int, outputs: int, *, groups: int, stride: int) -> nn.Sequential:
    inner = outputs // 4
    return nn.Sequential(
        *normed(inputs, inner, 1, groups=groups),
        relu(),
        nn.ChannelShuffle(groups),
        *normed(inner, inner, 3, stride=stride, groups=inner),
        relu(),
        *normed(inner, outputs, 1, groups=GROUPS),
    )


def shufflenet_v1(width: float) -> StagedBackbone:
    """ShuffleNet with three groups; the first block's first 1x1 convolution is not grouped."""
    inputs = scaled(STEM, width, MULTIPLE)
    channels = [scaled(count, width, MULTIPLE) for count in CHANNELS]
    stem = nn.Sequential(*normed(3, inputs, 1), relu())
    stages: list[nn.Module] = []
    for outputs, count in zip(channels, BLOCKS, strict=True):
        first = HalvingBlock(inputs, outputs, GROUPS if stages else 1)
        stages.append(Chain([first, *(KeepingBlock(outputs) for _ in range(count - 1))]))
        inputs = outputs
    return StagedBackbone(stem, stages, channels)
