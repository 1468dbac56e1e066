"""ResNet backbones with taps around the 3x3 convolution, trainable or deployed.

Parameters carry torchvision's names, so that its weights load as they are.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.architecture import Backbone
from cdd.models.family import BackboneModule, Family
from cdd.models.maps import Images, Maps, Taps

Widths = tuple[int, int]


EXPANSION = {"bottleneck": 4, "basic": 1}


def pooled(features: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels"]:
    """Average over space, for a batch of one as well."""
    return features.mean(dim=(2, 3))


class Layers:
    """Factory of convolutions and batch norms: trainable, or folded (bias, no batch norm)."""

    def __init__(self, *, folded: bool) -> None:
        self.folded = folded

    def convolution(self, inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the map's size at stride 1."""
        return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=self.folded)

    def norm(self, channels: int) -> nn.Module:
        """The batch norm behind a convolution; an identity where it is folded."""
        return nn.Identity() if self.folded else nn.BatchNorm2d(channels)

    def shortcut(self, inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
        """A 1x1 convolution where the shapes of the two branches differ."""
        if stride == 1 and inputs == outputs:
            return None
        return nn.Sequential(self.convolution(inputs, outputs, 1, stride), self.norm(outputs))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with the stride on the 3x3.

    `compactor` is the place between the 3x3 convolution's batch norm and its ReLU where one can be put,
    `entry_compactor` the same behind the first 1x1 convolution.

    Args:
        layers: makes the layers.
        inputs: input channels.
        planes: a fourth of the channels that go out.
        stride: of the 3x3 convolution.
        widths: channels that the first and the 3x3 convolution keep; unpruned, both are `planes`.
    """

    def __init__(self, layers: Layers, inputs: int, planes: int, stride: int, widths: Widths):
        super().__init__()
        outputs = planes * EXPANSION["bottleneck"]
        entry, channels = widths
        self.conv1 = layers.convolution(inputs, entry, 1)
        self.bn1 = layers.norm(entry)
        self.entry_compactor: nn.Module = nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = layers.convolution(entry, channels, 3, stride)
        self.bn2 = layers.norm(channels)
        self.compactor: nn.Module = nn.Identity()
        self.conv3 = layers.convolution(channels, outputs, 1)
        self.bn3 = layers.norm(outputs)
        self.downsample = layers.shortcut(inputs, outputs, stride)

    def forward(self, images: Tensor, *, tapped: bool) -> tuple[Tensor, Taps | None]:
        """The block's sum before its ReLU and, if asked, the pooled maps around the compactor."""
        inner = self.relu(self.entry_compactor(self.bn1(self.conv1(images))))
        before = self.bn2(self.conv2(inner))
        after = self.compactor(before)
        # Functional, because the paper's count of multiply-adds sees ReLU modules only.
        outer = self.bn3(self.conv3(F.relu(after)))
        shortcut = images if self.downsample is None else self.downsample(images)
        return outer + shortcut, _taps(before, after) if tapped else None


def _taps(before: Tensor, after: Tensor) -> Taps:
    """Both maps averaged over space; one average if there is no compactor between them."""
    first = pooled(before)
    return first, first if after is before else pooled(after)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, as in ResNet-18 and ResNet-34; never compacted."""

    def __init__(self, layers: Layers, inputs: int, planes: int, stride: int):
        super().__init__()
        self.conv1 = layers.convolution(inputs, planes, 3, stride)
        self.bn1 = layers.norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = layers.convolution(planes, planes, 3)
        self.bn2 = layers.norm(planes)
        self.downsample = layers.shortcut(inputs, planes, stride)

    def forward(self, images: Tensor, *, tapped: bool) -> tuple[Tensor, Taps | None]:
        """The block's sum before its ReLU; a basic block has no taps."""
        outer = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(images)))))
        shortcut = images if self.downsample is None else self.downsample(images)
        return outer + shortcut, None


class ResNet(BackboneModule):
    """A ResNet whose last stage keeps the resolution (last stride 1).

    Args:
        backbone: what to build.
        channels: see `block_widths`; None keeps all channels.
        folded: convolutions with bias and no batch norm: the deployed form.
    """

    def __init__(
        self,
        backbone: "Backbone",
        *,
        channels: Sequence[int] | None = None,
        folded: bool = False,
    ):
        super().__init__()
        self.layers = Layers(folded=folded)
        width = backbone.planes[0]
        if backbone.stem == "imagenet":
            self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=folded)
            self.maxpool: nn.Module = nn.MaxPool2d(3, 2, padding=1)
        else:
            self.conv1 = nn.Conv2d(3, width, 3, 2, padding=1, bias=folded)
            self.maxpool = nn.Identity()
        self.bn1 = self.layers.norm(width)
        self.relu = nn.ReLU(inplace=True)
        remaining = iter(block_widths(backbone, channels))
        inputs = (width, *(planes * EXPANSION[backbone.block] for planes in backbone.planes))
        for number, (before, _) in enumerate(pairwise(inputs)):
            self.add_module(f"layer{number + 1}", self._stage(backbone, number, before, remaining))
        self.stage_channels = inputs[1:]
        self.outputs = inputs[-1]

    def _stage(
        self, backbone: "Backbone", number: int, inputs: int, widths: Iterator[Widths]
    ) -> nn.ModuleList:
        planes, stage = backbone.planes[number], nn.ModuleList()
        for index in range(backbone.blocks[number]):
            stride = 2 if index == 0 and number in (1, 2) else 1
            if backbone.block == "bottleneck":
                block: nn.Module = Bottleneck(self.layers, inputs, planes, stride, next(widths))
            else:
                block = BasicBlock(self.layers, inputs, planes, stride)
            stage.append(block)
            inputs = planes * EXPANSION[backbone.block]
        return stage

    @property
    def stages(self) -> list[nn.ModuleList]:
        """The four stages, each a list of residual blocks."""
        return [getattr(self, f"layer{number}") for number in range(1, 5)]

    @property
    def blocks(self) -> list[nn.Module]:
        """All residual blocks, first to last."""
        return [block for stage in self.stages for block in stage]

    def forward(self, images: Images, *, tapped: bool = False) -> Maps:
        """The maps of the stages and, on request, the taps of every bottleneck."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        before_relu, stages, taps = features, [], []
        for stage in self.stages:
            for block in stage:
                before_relu, tap = block(features, tapped=tapped)
                features = F.relu(before_relu)
                if tap is not None:
                    taps.append(tap)
            stages.append(features)
        return Maps(tuple(stages), before_relu, taps)


def full_channels(backbone: "Backbone") -> list[int]:
    """Channels of the 3x3 convolution of every bottleneck before any pruning; empty for basic blocks."""
    if backbone.block == "basic":
        return []
    return [
        p for planes, count in zip(backbone.planes, backbone.blocks, strict=True) for p in [planes] * count
    ]


def block_widths(backbone: "Backbone", channels: Sequence[int] | None = None) -> list[Widths]:
    """Per bottleneck, the channels that its first and its 3x3 convolution keep.

    Args:
        backbone: what to build.
        channels: one count per bottleneck, of its 3x3 convolution, or two, of its first and its 3x3
            convolution, in the order of the network; all channels where not given.

    Raises:
        ValueError: for another number of counts, or the first one that does not fit.
    """
    full = full_channels(backbone)
    if channels is None:
        return [(planes, planes) for planes in full]
    if len(channels) not in (len(full), 2 * len(full)):
        raise ValueError(
            f"{len(channels)} channel counts given, but this backbone has {len(full)} bottlenecks: give one "
            "count each, of the 3x3 convolution, or two, of the first 1x1 and the 3x3 convolution"
        )
    each = len(channels) // max(len(full), 1)
    for index, kept in enumerate(channels):
        if not 1 <= kept <= full[index // each]:
            raise ValueError(
                f"block {index // each + 1} keeps {kept} channels; it can keep 1 to {full[index // each]}"
            )
    entries = channels[::2] if each == 2 else full
    return list(zip(entries, channels[each - 1 :: each] if full else (), strict=True))


FAMILY = Family(settings=Backbone, build=ResNet)
