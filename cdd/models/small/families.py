"""Backbone of each family of networks for small images."""

from collections.abc import Callable, Mapping

from cdd.architecture import SmallNetwork
from cdd.models.family import Family
from cdd.models.small.mobilenet_v2 import mobilenet_v2
from cdd.models.small.resnet import bottleneck_resnet, resnet
from cdd.models.small.shufflenet_v1 import shufflenet_v1
from cdd.models.small.shufflenet_v2 import shufflenet_v2
from cdd.models.small.staged import StagedBackbone
from cdd.models.small.vgg import vgg
from cdd.models.small.wide_resnet import wide_resnet

WITH_DEPTH: Mapping[str, Callable[[int, float], StagedBackbone]] = {
    "resnet": resnet,
    "wide-resnet": wide_resnet,
    "vgg": vgg,
    "bottleneck-resnet": bottleneck_resnet,
}
WITHOUT_DEPTH: Mapping[str, Callable[[float], StagedBackbone]] = {
    "mobilenet-v2": mobilenet_v2,
    "shufflenet-v1": shufflenet_v1,
    "shufflenet-v2": shufflenet_v2,
}


def staged_backbone(settings: SmallNetwork) -> StagedBackbone:
    """The backbone of these settings."""
    if settings.depth is None:
        backbone = WITHOUT_DEPTH[settings.family](settings.width)
    else:
        backbone = WITH_DEPTH[settings.family](settings.depth, settings.width)
    backbone.family = settings.family
    return backbone


FAMILY = Family(settings=SmallNetwork, build=lambda settings, **_: staged_backbone(settings))
