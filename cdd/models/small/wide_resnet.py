"""Wide residual networks: batch norm and ReLU before the convolutions.

Source: Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016, Table 1; without dropout.
"""

from torch import Tensor, nn

from cdd.models.small.staged import StagedBackbone, normed, relu, scaled

STEM = 16


class IdentityBlock(nn.Module):
    """The input map plus two convolutions of its batch norm and ReLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.branch = nn.Sequential(nn.BatchNorm2d(channels), relu(), *_convolutions(channels, channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        """The sum, without batch norm or ReLU."""
        outputs: Tensor = features + self.branch(features)
        return outputs


class ProjectingBlock(nn.Module):
    """The block that changes the shape; both of its branches read the map after batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.branch = nn.Sequential(*_convolutions(inputs, outputs, stride))
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """The sum, without batch norm or ReLU."""
        outputs: Tensor = self.shortcut(features) + self.branch(features)
        return outputs


def _convolutions(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    last = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
    return [*normed(inputs, outputs, 3, stride=stride), relu(), last]


def wide_resnet(depth: int, width: float) -> StagedBackbone:
    """WRN-depth-width. A stage ends with the batch norm before the next one's first convolution.

    Differs: the benchmark hands out the sums of the last blocks, without batch norm and ReLU, to methods
    that read maps after their ReLU.
    """
    channels = [scaled(count, width) for count in (16, 32, 64)]
    stem: list[nn.Module] = [nn.Conv2d(3, STEM, 3, padding=1, bias=False)]
    if channels[0] != STEM:
        stem += [nn.BatchNorm2d(STEM), relu()]
    stages, inputs = [], STEM
    for number, outputs in enumerate(channels):
        stages.append(_stage(inputs, outputs, (depth - 4) // 6, stride=2 if number else 1))
        inputs = outputs
    return StagedBackbone(nn.Sequential(*stem), stages, channels)


def _stage(inputs: int, outputs: int, count: int, stride: int) -> nn.Sequential:
    keeps = inputs == outputs
    first = IdentityBlock(outputs) if keeps else ProjectingBlock(inputs, outputs, stride)
    rest = (IdentityBlock(outputs) for _ in range(count - 1))
    return nn.Sequential(first, *rest, nn.BatchNorm2d(outputs))
