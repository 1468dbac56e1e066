"""VGG for small images: convolutions with bias and batch norm, one linear layer behind them.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, Table 1; the benchmark for VGG8 and the layers behind the convolutions.
"""

from torch import nn

from cdd.models.small.staged import StagedBackbone, normed, relu, scaled

CONVOLUTIONS = {
    8: (1, 1, 1, 1, 1),
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions of the five groups, by depth; the depth counts three linear layers, of which one is kept."""


def vgg(depth: int, width: float) -> StagedBackbone:
    """A VGG whose first group is the stem; the first three groups end in a pooling, 4x4 for 32x32 images.

    Differs: the benchmark pools images of 64x64 once more.
    """
    channels = [scaled(count, width) for count in (64, 128, 256, 512, 512)]
    groups, inputs = [], 3
    for outputs, count in zip(channels, CONVOLUTIONS[depth], strict=True):
        groups.append(_group(inputs, outputs, count))
        inputs = outputs
    stem, *unpooled, last = groups
    stages = [nn.Sequential(nn.MaxPool2d(2), *group) for group in unpooled]
    return StagedBackbone(nn.Sequential(*stem, relu()), [*stages, nn.Sequential(*last)], channels[1:])


def _group(inputs: int, outputs: int, count: int) -> list[nn.Module]:
    """Convolutions and batch norms with a ReLU between each two."""
    layers = normed(inputs, outputs, 3, bias=True)
    for _ in range(count - 1):
        layers += [relu(), *normed(outputs, outputs, 3, bias=True)]
    return layers
