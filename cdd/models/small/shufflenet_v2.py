"""ShuffleNetV2 for small images: half of the channels passes each block untouched, then they are mixed.

Source: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", ECCV 2018,
Table 5, 1x; the benchmark for the 1x1 stem without pooling.
"""

import torch
from torch import Tensor, nn

from cdd.models.small.staged import Chain, StagedBackbone, normed, relu, scaled

STEM, LAST = 24, 1024
CHANNELS = (116, 232, 464)
BLOCKS = (4, 8, 4)


class HalvingBlock(nn.Module):
    """Halves the resolution; each of its two branches makes half of the channels."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.left = nn.Sequential(
            *normed(inputs, inputs, 3, stride=2, groups=inputs), *normed(inputs, half, 1)
        )
        self.right = _branch(inputs, half, stride=2)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, features: Tensor) -> Tensor:
        """Both halves, mixed, before their ReLU."""
        mixed: Tensor = self.shuffle(torch.cat([self.left(features), self.right(features)], dim=1))
        return mixed


class KeepingBlock(nn.Module):
    """Computes the second half of the channels anew and leaves the first as it is."""

    def __init__(self, channels: int):
        super().__init__()
        self.branch = _branch(channels // 2, channels // 2, stride=1)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, features: Tensor) -> Tensor:
        """Both halves, mixed, before the ReLU, which leaves the untouched half as it is."""
        kept, changed = features.chunk(2, dim=1)
        mixed: Tensor = self.shuffle(torch.cat([kept, self.branch(changed)], dim=1))
        return mixed


def _branch(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *normed(inputs, outputs, 1),
        relu(),
        *normed(outputs, outputs, 3, stride=stride, groups=outputs),
        *normed(outputs, outputs, 1),
    )


def shufflenet_v2(width: float) -> StagedBackbone:
    """ShuffleNetV2 whose last stage ends with the 1x1 convolution to 1024 channels.

    Differs: the paper's 0.5x, 1.5x and 2x have channels of their own; here a width is a factor of 1x.
    """
    inputs = scaled(STEM, width, 2)
    channels = [scaled(count, width, 2) for count in CHANNELS]
    stem = nn.Sequential(*normed(3, inputs, 1), relu())
    stages: list[list[nn.Module]] = []
    for outputs, count in zip(channels, BLOCKS, strict=True):
        stages.append([HalvingBlock(inputs, outputs), *(KeepingBlock(outputs) for _ in range(count - 1))])
        inputs = outputs
    channels[-1] = scaled(LAST, width)
    stages[-1].append(nn.Sequential(*normed(inputs, channels[-1], 1)))
    return StagedBackbone(stem, [Chain(blocks) for blocks in stages], channels)
