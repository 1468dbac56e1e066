"""Settings of the networks: which one, how deep, how wide."""

from collections.abc import Container, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cdd.contract import Settings
from cdd.values import Channels, Count, Layers, Pixels

FourStages = tuple[Layers, Layers, Layers, Layers]
FourWidths = tuple[Channels, Channels, Channels, Channels]


class Backbone(Settings):
    """A ResNet: kind of block, blocks and planes of the four stages, stem, size of the embedding."""

    block: Literal["bottleneck", "basic"]
    blocks: FourStages
    planes: FourWidths = (64, 128, 256, 512)
    stem: Literal["imagenet", "small"] = "imagenet"
    """`imagenet`: 7x7 stride 2, then 3x3 max pooling stride 2; `small`: 3x3 stride 2 without pooling."""
    embedding: Channels = 512


MOST_PATCHES = 65_536


class VisionTransformer(Settings):
    """A vision transformer whose class token is the pooled feature; the defaults are ViT-B/16's."""

    image: Pixels = 384
    """Height and width that its position embeddings are made for."""
    patch: Pixels = 16
    layers: Layers = 12
    heads: Channels = 12
    width: Channels = 768
    hidden: Channels = 3072
    """Width inside the feed-forward part of a layer."""
    embedding: Channels = 512

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        for name, whole, part in (("image", self.image, self.patch), ("width", self.width, self.heads)):
            if whole % part:
                raise ValueError(
                    f"{name} is {whole}, which {part} does not divide: patches and heads are equal"
                )
        if (self.image // self.patch) ** 2 > MOST_PATCHES:
            raise ValueError(
                f"an image of {self.image} pixels in patches of {self.patch} has more than {MOST_PATCHES:,} "
                "patches, each of which attends to all: make patch larger"
            )
        return self


DEPTHS: Mapping[str, tuple[Container[int | None], str]] = {
    "resnet": (range(8, 1209, 6), "6n + 2: 8, 14, 20, ..."),
    "wide-resnet": (range(10, 1209, 6), "6n + 4: 10, 16, 22, ..."),
    "vgg": ((8, 11, 13, 16, 19), "8, 11, 13, 16 or 19"),
    "bottleneck-resnet": ((50,), "50"),
}
"""Per family the depths that its rule makes, as numbers and in words; the others have none to choose."""


class SmallNetwork(Settings):
    """A network that classifies small images (32x32): those of CRD's benchmark, and narrower ones.

    Source: Tian et al., "Contrastive Representation Distillation", ICLR 2020, Tables 1 and 2.
    """

    family: Literal[
        "resnet", "wide-resnet", "vgg", "bottleneck-resnet", "mobilenet-v2", "shufflenet-v1", "shufflenet-v2"
    ]
    depth: Count | None = None
    """Layers with weights, as in the network's name; None for the mobile families."""
    width: Annotated[float, Field(strict=True, ge=0.125, le=64)] = 1.0
    """Factor of the channels. The benchmark: 4 for a ResNet "x4", 0.5 for MobileNetV2, the k of a WRN-d-k."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        allowed, words = DEPTHS.get(self.family, ((None,), "None: it is one network"))
        if self.depth not in allowed:
            raise ValueError(f"depth is {self.depth}, but the depth of {self.family} is {words}")
        return self


Network = Backbone | VisionTransformer | SmallNetwork
NEVER_COMPACTED: Mapping[type[Network], str] = {
    Backbone: "this student has basic blocks",
    VisionTransformer: "a vision transformer has none",
    SmallNetwork: "a network for small images is never compacted",
}
