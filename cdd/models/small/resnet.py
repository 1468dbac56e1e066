"""Residual networks for small images: basic blocks in three stages, or bottlenecks in four."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from cdd.models.resnet import EXPANSION, BasicBlock, Bottleneck, Layers
from cdd.models.small.staged import StagedBackbone, normed, relu, scaled

BOTTLENECKS = {50: (3, 4, 6, 3)}
"""Blocks of the four stages by depth."""


class ResidualStage(nn.Module):
    """Residual blocks, the first of which can halve the resolution."""

    def __init__(self, blocks: Sequence[nn.Module]):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, features: Tensor) -> Tensor:
        """The last block's sum before its ReLU."""
        for index, block in enumerate(self.blocks):
            features, _ = block(F.relu(features) if index else features, tapped=False)
        return features


def resnet(depth: int, width: float) -> StagedBackbone:
    """A ResNet of basic blocks whose first stage has 16 channels times the width.

    The stem has as many; of a network wider than 1 it has half of them: 32 before the 64, 128 and 256 of
    the benchmark's "x4". Shortcuts between shapes are 1x1 convolutions.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Section 4.2; the
    benchmark for "x4" and the shortcuts.
    """
    channels = [scaled(planes, width) for planes in (16, 32, 64)]
    stem = channels[0] if width <= 1 else channels[0] // 2
    stages, inputs = [], stem
    for number, planes in enumerate(channels):
        stages.append(_basic_stage(inputs, planes, (depth - 2) // 6, stride=2 if number else 1))
        inputs = planes
    return StagedBackbone(nn.Sequential(*normed(3, stem, 3), relu()), stages, channels)


def _basic_stage(inputs: int, planes: int, count: int, stride: int) -> ResidualStage:
    layers = Layers(folded=False)
    first = BasicBlock(layers, inputs, planes, stride)
    return ResidualStage([first, *(BasicBlock(layers, planes, planes, 1) for _ in range(count - 1))])


def bottleneck_resnet(depth: int, width: float) -> StagedBackbone:
    """A ResNet of bottlenecks with a 3x3 stem without stride or pooling; 4x4 at the end for 32x32 images.

    Source: the benchmark; He et al., CVPR 2016, Table 1 for the blocks.
    """
    planes = [scaled(count, width) for count in (64, 128, 256, 512)]
    inputs, stages = planes[0], []
    for number, (count, blocks) in enumerate(zip(planes, BOTTLENECKS[depth], strict=True)):
        stages.append(_bottleneck_stage(inputs, count, blocks, stride=2 if number else 1))
        inputs = count * EXPANSION["bottleneck"]
    channels = [count * EXPANSION["bottleneck"] for count in planes]
    return StagedBackbone(nn.Sequential(*normed(3, planes[0], 3), relu()), stages, channels)


def _bottleneck_stage(inputs: int, planes: int, count: int, stride: int) -> ResidualStage:
    layers, widths = Layers(folded=False), (planes, planes)
    outputs = planes * EXPANSION["bottleneck"]
    first = Bottleneck(layers, inputs, planes, stride, widths)
    rest = (Bottleneck(layers, outputs, planes, 1, widths) for _ in range(count - 1))
    return ResidualStage([first, *rest])
