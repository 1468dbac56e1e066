"""The retrieval network: backbone, pooling, neck, classifier."""

from collections.abc import Sequence

import torch
from torch import nn

from cdd.architecture import Network
from cdd.contract import RetrievalOutput
from cdd.models.family import BackboneModule, family_of
from cdd.models.maps import Images
from cdd.models.resnet import Bottleneck


class RetrievalNetwork(nn.Module):
    """Backbone -> average pooling -> BN, ReLU, Linear, BN = embedding -> classifier without bias.

    The training and the deployed network (`folded`, slimmer `channels`) are built by the same code. A network
    for small images has no neck: the pooled feature is the embedding, and its classifier has a bias.

    Source: the authors' release; Section 4.2 for the last stride. Tian et al., "Contrastive Representation
    Distillation", ICLR 2020, Section 4.1 for small images.
    """

    def __init__(
        self,
        backbone: Network,
        identities: int,
        *,
        channels: Sequence[int] | None = None,
        folded: bool = False,
    ):
        super().__init__()
        self.settings, self.folded = backbone, folded
        self.backbone = build_backbone(backbone, channels=channels, folded=folded)
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.neck, self.classifier = _head(backbone, self.backbone.outputs, identities)

    @property
    def bottlenecks(self) -> list[Bottleneck]:
        """The blocks that can be pruned, first to last."""
        if self.settings.without_bottlenecks:
            return []
        return [block for block in self.modules() if isinstance(block, Bottleneck)]

    def forward(self, images: Images, *, tapped: bool = False, mapped: bool = False) -> RetrievalOutput:
        """All outputs that the losses read.

        `tapped` adds the pooled maps around the compactors, `mapped` the maps of the stages.
        """
        maps = self.backbone(images, tapped=tapped)
        pooled = self.pooling(maps.stages[-1]).flatten(1)
        embedding = self.neck(pooled)
        return RetrievalOutput(
            pooled=pooled,
            embedding=embedding,
            logits=self.classifier(embedding),
            before_compactor=tuple(before for before, _ in maps.taps),
            after_compactor=tuple(after for _, after in maps.taps),
            stages=maps.stages if mapped else (),
            before_last_relu=maps.before_last_relu if mapped else None,
        )


def _head(backbone: Network, inputs: int, identities: int) -> tuple[nn.Module, nn.Linear]:
    """Neck and classifier."""
    width = backbone.embedding
    if width is None:
        return nn.Identity(), nn.Linear(inputs, identities)
    linear = nn.Linear(inputs, width, bias=False)
    neck = nn.Sequential(nn.BatchNorm1d(inputs), nn.ReLU(), linear, nn.BatchNorm1d(width))
    return neck, nn.Linear(width, identities, bias=False)


def build_backbone(
    backbone: Network, *, channels: Sequence[int] | None = None, folded: bool = False
) -> BackboneModule:
    """The backbone alone; only a ResNet for retrieval is folded and has channels to leave out.

    Raises:
        ValueError: for channel counts that do not fit.
    """
    if channels and backbone.without_bottlenecks:
        raise ValueError(
            "channel counts were given, but only a retrieval ResNet has bottlenecks to prune: "
            f"{backbone.without_bottlenecks}"
        )
    return family_of(backbone).build(backbone, channels=channels, folded=folded)


def initialise(network: RetrievalNetwork, generator: torch.Generator) -> None:
    """Draws every weight anew, each family's backbone in its own way; batch norms stay 1 and 0.

    Source: torchvision for the backbone, the authors' release for neck (He) and classifier (normal with
    standard deviation 0.001); for small images each family's own, classifier included.
    """
    network.backbone.draw_weights(network, generator)
    if network.settings.embedding is not None:
        nn.init.normal_(network.classifier.weight, std=0.001, generator=generator)
