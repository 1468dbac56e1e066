"""Backbones by name."""

from cdd.architecture import Backbone, Network, VisionTransformer

RESNETS = {
    "resnet18": Backbone(block="basic", blocks=(2, 2, 2, 2)),
    "resnet34": Backbone(block="basic", blocks=(3, 4, 6, 3)),
    "resnet50": Backbone(block="bottleneck", blocks=(3, 4, 6, 3)),
    "resnet101": Backbone(block="bottleneck", blocks=(3, 4, 23, 3)),
}
BACKBONES: dict[str, Network] = {**RESNETS, "vit_b_16": VisionTransformer()}
