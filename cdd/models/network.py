"""The retrieval network: backbone, pooling, neck, classifier."""

from collections.abc import Sequence

import torch
from torch import nn

from cdd.contract import RetrievalOutput
from cdd.models.resnet import Bottleneck, Images, ResNet
from cdd.models.small.families import staged_backbone
from cdd.models.small.staged import StagedBackbone
from cdd.models.transformer import TransformerBackbone, initialise_transformer
from cdd.recipe import Backbone, Network, SmallNetwork, VisionTransformer


class RetrievalNetwork(nn.Module):
    """Backbone -> average pooling -> BN, ReLU, Linear, BN = embedding -> classifier without bias.

    The training and the deployed network (`folded`, slimmer `channels`) are built by the same code.
    Source: the authors' release; Section 4.2 for the last stride.
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
        if isinstance(backbone, SmallNetwork):
            raise ValueError(
                f"a {backbone.family} for small images classifies: build a ClassificationNetwork from it"
            )
        self.folded = folded
        self.backbone = build_backbone(backbone, channels=channels, folded=folded)
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.neck = nn.Sequential(
            nn.BatchNorm1d(self.backbone.outputs),
            nn.ReLU(),
            nn.Linear(self.backbone.outputs, backbone.embedding, bias=False),
            nn.BatchNorm1d(backbone.embedding),
        )
        self.classifier = nn.Linear(backbone.embedding, identities, bias=False)

    @property
    def bottlenecks(self) -> list[Bottleneck]:
        """The blocks that can be pruned, first to last."""
        return [block for block in self.modules() if isinstance(block, Bottleneck)]

    def forward(self, images: Images, *, tapped: bool = False, mapped: bool = False) -> RetrievalOutput:
        """Everything that the losses read.

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


def build_backbone(
    backbone: Network, *, channels: Sequence[int] | None = None, folded: bool = False
) -> ResNet | TransformerBackbone | StagedBackbone:
    """The backbone alone; only a ResNet for retrieval is folded and has channels to leave out.

    Raises:
        ValueError: for channel counts that do not fit.
    """
    if isinstance(backbone, Backbone):
        return ResNet(backbone, channels=channels, folded=folded)
    if channels:
        raise ValueError("channel counts were given, but only a retrieval ResNet has bottlenecks to prune")
    if isinstance(backbone, VisionTransformer):
        return TransformerBackbone(backbone)
    return staged_backbone(backbone)


def initialise(network: RetrievalNetwork, generator: torch.Generator) -> None:
    """Draws every weight anew: He initialisation by fan-out, batch norms stay 1 and 0.

    Source: torchvision for the backbone, the authors' release for neck and classifier (normal with
    standard deviation 0.001).
    """
    if isinstance(network.backbone, TransformerBackbone):
        initialise_transformer(network.backbone, generator)
    drawn = network.neck if isinstance(network.backbone, TransformerBackbone) else network
    for module in drawn.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    nn.init.normal_(network.classifier.weight, std=0.001, generator=generator)
