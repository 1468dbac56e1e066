"""Common structure of all families: a stem, then stages with maps before and after their ReLU."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Generator, Tensor, nn

from cdd.models.family import BackboneModule
from cdd.models.maps import Images, Maps
from cdd.models.small.first_weights import FIRST_WEIGHTS, draw_first_weights


class StagedBackbone(BackboneModule):
    """A stem, then stages with a ReLU behind each; the last stage's map is the one that is pooled.

    Layers between the last residual block and the pooling (a batch norm, a 1x1 convolution) belong to the
    last stage, so that in every family the last map is the ReLU of `before_last_relu`.

    Args:
        stem: makes the first stage's input.
        stages: each returns its map before the ReLU.
        stage_channels: channels of these maps.
        linear: whether the stages before the last one end without a ReLU.

    Differs: the benchmark's networks of MobileNetV2 and ShuffleNetV2 hand out the map before their last
    1x1 convolution. QuEST's release reads the one behind it, as here.
    """

    family = ""
    """Name of its family; the first weights follow from it."""

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        stage_channels: Sequence[int],
        *,
        linear: bool = False,
    ):
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.stage_channels = tuple(stage_channels)
        self.outputs = self.stage_channels[-1]
        self.linear = linear

    def forward(self, images: Images, *, tapped: bool = False) -> Maps:
        """The maps that leave the stages; no taps."""
        before_relu = features = self.stem(images)
        maps: list[Tensor] = []
        for stage in self.stages:
            before_relu = stage(features)
            is_last = len(maps) == len(self.stages) - 1
            features = before_relu if self.linear and not is_last else F.relu(before_relu)
            maps.append(features)
        return Maps(tuple(maps), before_relu, [])

    def draw_weights(self, network: nn.Module, generator: Generator) -> None:
        """As the family's own network draws them, classifier included."""
        draw_first_weights(network, FIRST_WEIGHTS[self.family], generator)


class Chain(nn.Module):
    """Blocks that return their map before its ReLU, one after the other; the last ReLU is left out."""

    def __init__(self, blocks: Sequence[nn.Module]):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, features: Tensor) -> Tensor:
        """The last block's map before its ReLU."""
        for index, block in enumerate(self.blocks):
            features = block(F.relu(features) if index else features)
        return features


def normed(
    inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> list[nn.Module]:
    """A convolution that keeps the map's size at stride 1, and its batch norm."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=bias)
    return [convolution, nn.BatchNorm2d(outputs)]


def relu() -> nn.Module:
    """A ReLU inside a stage, whose input no loss reads."""
    return nn.ReLU(inplace=True)


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """The channels times a factor: the nearest multiple, but at least one."""
    return multiple * max(1, round(channels * width / multiple))
