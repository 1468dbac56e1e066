"""MobileNetV2 for small images: inverted residual blocks that end without a ReLU.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, Table 2;
the benchmark for stride 1 where that table halves 112x112, and for the first block's expansion layer.
"""

from typing import NamedTuple

from torch import Tensor, nn

from cdd.models.small.staged import StagedBackbone, normed, relu, scaled


class Group(NamedTuple):
    """Equal blocks: expansion, channels that leave them, how many, the first one's stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int


STEM, LAST = 32, 1280
STAGES = (
    (Group(1, 16, 1, 1), Group(6, 24, 2, 1)),
    (Group(6, 32, 3, 2),),
    (Group(6, 64, 4, 2), Group(6, 96, 3, 1)),
    (Group(6, 160, 3, 2), Group(6, 320, 1, 1)),
)


class InvertedResidual(nn.Module):
    """1x1 to more channels, 3x3 per channel, 1x1 back without a ReLU; a shortcut between equal shapes."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int):
        super().__init__()
        inner = inputs * expansion
        self.branch = nn.Sequential(
            *normed(inputs, inner, 1),
            relu(),
            *normed(inner, inner, 3, stride=stride, groups=inner),
            relu(),
            *normed(inner, outputs, 1),
        )
        self.keeps = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """The linear map."""
        outputs: Tensor = self.branch(features)
        return features + outputs if self.keeps else outputs


def mobilenet_v2(width: float) -> StagedBackbone:
    """Stem with stride 2, four stages, the last of which ends with the 1x1 convolution to 1280 channels.

    These 1280 grow with a width above 1, but do not shrink. The first three stages' maps are linear.
    """
    stages, inputs, channels = [], scaled(STEM, width), []
    stem = nn.Sequential(*normed(3, inputs, 3, stride=2), relu())
    for groups in STAGES:
        blocks = []
        for group in groups:
            outputs = scaled(group.channels, width)
            for index in range(group.blocks):
                stride = 1 if index else group.stride
                blocks.append(InvertedResidual(inputs, outputs, group.expansion, stride))
                inputs = outputs
        stages.append(nn.Sequential(*blocks))
        channels.append(inputs)
    channels[-1] = scaled(LAST, max(1.0, width))
    stages[-1].extend(normed(inputs, channels[-1], 1))
    return StagedBackbone(stem, stages, channels, linear=True)
