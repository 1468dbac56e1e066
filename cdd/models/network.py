"""The retrieval network: backbone, pooling, neck, classifier."""

from collections.abc import Sequence

import torch
from torch import nn

from cdd.architecture import Backbone, Network, SmallNetwork, VisionTransformer
from cdd.contract import RetrievalOutput
from cdd.models.maps import Images
from cdd.models.resnet import Bottleneck, ResNet
from cdd.models.small.families import staged_backbone
from cdd.models.small.first_weights import FIRST_WEIGHTS, draw_first_weights
from cdd.models.small.staged import StagedBackbone
from cdd.models.transformer import TransformerBackbone, initialise_transformer


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
        self.folded = folded
        self.backbone = build_backbone(backbone, channels=channels, folded=folded)
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.neck, self.classifier = _head(backbone, self.backbone.outputs, identities)

    @property
    def bottlenecks(self) -> list[Bottleneck]:
        """The blocks that can be pruned, first to last."""
        if not isinstance(self.backbone, ResNet):
            return []
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


def _head(backbone: Network, inputs: int, identities: int) -> tuple[nn.Module, nn.Linear]:
    """Neck and classifier."""
    if isinstance(backbone, SmallNetwork):
        return nn.Identity(), nn.Linear(inputs, identities)
    neck = nn.Sequential(
        nn.BatchNorm1d(inputs),
        nn.ReLU(),
        nn.Linear(inputs, backbone.embedding, bias=False),
        nn.BatchNorm1d(backbone.embedding),
    )
    return neck, nn.Linear(backbone.embedding, identities, bias=False)


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
    standard deviation 0.001); for small images each family's own.
    """
    if isinstance(network.backbone, StagedBackbone):
        draw_first_weights(network, FIRST_WEIGHTS[network.backbone.family], generator)
        return
    if isinstance(network.backbone, TransformerBackbone):
        initialise_transformer(network.backbone, generator)
    drawn = network.neck if isinstance(network.backbone, TransformerBackbone) else network
    for module in drawn.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    nn.init.normal_(network.classifier.weight, std=0.001, generator=generator)
