"""The classification network: a backbone for small images, pooling, a linear classifier."""

import torch
from torch import nn

from cdd.contract import RetrievalOutput
from cdd.models.resnet import Bottleneck, Images
from cdd.models.small.families import staged_backbone
from cdd.models.small.first_weights import FIRST_WEIGHTS, draw_first_weights
from cdd.recipe import SmallNetwork


class ClassificationNetwork(nn.Module):
    """Backbone -> average pooling = embedding -> classifier with bias; used like a retrieval network.

    It is never compacted or folded, and has no neck.

    Source: Tian et al., "Contrastive Representation Distillation", ICLR 2020, Tables 1 and 2.
    """

    def __init__(self, backbone: SmallNetwork, classes: int):
        super().__init__()
        self.folded = False
        self.family = backbone.family
        self.backbone = staged_backbone(backbone)
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.neck = nn.Identity()
        self.classifier = nn.Linear(self.backbone.outputs, classes)

    @property
    def bottlenecks(self) -> list[Bottleneck]:
        """The blocks that can be pruned: none, also where the backbone has bottlenecks."""
        return []

    def forward(self, images: Images, *, tapped: bool = False, mapped: bool = False) -> RetrievalOutput:
        """Everything that the losses read; `mapped` adds the maps of the stages, taps there are none."""
        maps = self.backbone(images, tapped=tapped)
        pooled = self.pooling(maps.stages[-1]).flatten(1)
        embedding = self.neck(pooled)
        return RetrievalOutput(
            pooled=pooled,
            embedding=embedding,
            logits=self.classifier(embedding),
            stages=maps.stages if mapped else (),
            before_last_relu=maps.before_last_relu if mapped else None,
        )


def initialise_classification(network: ClassificationNetwork, generator: torch.Generator) -> None:
    """Draws every weight of a new network from this generator; batch norms stay 1 and 0.

    Source: the networks of the benchmark RepDistiller, each with its own distributions.
    """
    draw_first_weights(network, FIRST_WEIGHTS[network.family], generator)
