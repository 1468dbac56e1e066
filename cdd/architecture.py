"""Settings of the networks: which one, how deep, how wide."""

from abc import abstractmethod
from collections.abc import Container, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cdd.contract import Settings
from cdd.values import Channels, Count, Layers, Pixels

FourStages = tuple[Layers, Layers, Layers, Layers]
FourWidths = tuple[Channels, Channels, Channels, Channels]


class Architecture(Settings):
    """Base of the settings of a network: what can be told of it before it is built.

    A module of `cdd.models` declares the `Family` that builds it. Every one has an `embedding`: the width of
    its neck, or None for a classifier without a neck.
    """

    @property
    @abstractmethod
    def description(self) -> str:
        """The network in words, as captions have it."""

    @property
    @abstractmethod
    def without_bottlenecks(self) -> str | None:
        """Why nothing of it can be pruned; None where it has bottlenecks."""

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of its images; None where they are free."""
        return None

    def for_images(self, height: int, width: int) -> Self:
        """The same network for images of this size.

        Raises:
            ValueError: where there is none.
        """
        return self

    def equals_but_for(self, other: "Architecture", *fields: str) -> bool:
        """Whether the networks are of one family and differ in these fields at most."""
        mine, theirs = (network.model_dump(exclude={*fields}) for network in (self, other))
        return type(self) is type(other) and mine == theirs


class Backbone(Architecture):
    """A ResNet: kind of block, blocks and planes of the four stages, stem, size of the embedding."""

    block: Literal["bottleneck", "basic"]
    blocks: FourStages
    planes: FourWidths = (64, 128, 256, 512)
    stem: Literal["imagenet", "small"] = "imagenet"
    """`imagenet`: 7x7 stride 2, then 3x3 max pooling stride 2; `small`: 3x3 stride 2 without pooling."""
    embedding: Channels = 512

    @property
    def description(self) -> str:
        """Blocks and planes of the four stages."""
        blocks, planes = ("-".join(map(str, counts)) for counts in (self.blocks, self.planes))
        return f"ResNet of {blocks} {self.block} blocks, {planes} planes"

    @property
    def without_bottlenecks(self) -> str | None:
        """Basic blocks are never pruned."""
        return "this student has basic blocks" if self.block == "basic" else None


MOST_PATCHES = 65_536


class VisionTransformer(Architecture):
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

    @property
    def description(self) -> str:
        """Layers, width and patches."""
        return f"vision transformer of {self.layers} layers, width {self.width}, patch {self.patch}"

    @property
    def without_bottlenecks(self) -> str:
        """It has no convolution but the first."""
        return "a vision transformer has none"

    @property
    def image_size(self) -> tuple[int, int]:
        """Its position embeddings are for square images of one size."""
        return self.image, self.image

    def for_images(self, height: int, width: int) -> Self:
        """The same network with other position embeddings; images must be square."""
        if height != width:
            raise ValueError(f"a vision transformer takes square images, not {height}x{width}")
        return self.model_validate({**self.model_dump(), "image": height})


DEPTHS: Mapping[str, tuple[Container[int | None], str]] = {
    "resnet": (range(8, 1209, 6), "6n + 2: 8, 14, 20, ..."),
    "wide-resnet": (range(10, 1209, 6), "6n + 4: 10, 16, 22, ..."),
    "vgg": ((8, 11, 13, 16, 19), "8, 11, 13, 16 or 19"),
    "bottleneck-resnet": ((50,), "50"),
}
"""Per family the depths that its rule makes, as numbers and in words; the others have none to choose."""


class SmallNetwork(Architecture):
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
    embedding: ClassVar[None] = None
    """It has no neck: the pooled feature is the embedding, and its classifier is counted as well."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        allowed, words = DEPTHS.get(self.family, ((None,), "None: it is one network"))
        if self.depth not in allowed:
            raise ValueError(f"depth is {self.depth}, but the depth of {self.family} is {words}")
        return self

    @property
    def description(self) -> str:
        """Family, depth and width."""
        depth = "" if self.depth is None else f" of depth {self.depth}"
        return f"{self.family}{depth}, width {self.width:g}"

    @property
    def without_bottlenecks(self) -> str:
        """Whatever its blocks are, the benchmark trains and counts it whole."""
        return "a network for small images is never compacted"


Network = Backbone | VisionTransformer | SmallNetwork
