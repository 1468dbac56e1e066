"""A vision transformer as a backbone: torchvision's, with the class token as a map of one pixel.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; the row ViT-Base of Table 3.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from cdd.architecture import VisionTransformer
from cdd.models.family import BackboneModule, Family, Weights, draw_by_fan_out
from cdd.models.maps import Images, Maps
from cdd.torchvision_guard import install


class TransformerBackbone(BackboneModule):
    """torchvision's network without its classification head; parameters carry its names below `vit`."""

    def __init__(self, settings: VisionTransformer):
        super().__init__()
        install()
        from torchvision.models import VisionTransformer as Torchvision  # noqa: PLC0415  (behind its guard)

        self.vit = Torchvision(
            image_size=settings.image,
            patch_size=settings.patch,
            num_layers=settings.layers,
            num_heads=settings.heads,
            hidden_dim=settings.width,
            mlp_dim=settings.hidden,
        )
        self.vit.heads = nn.Identity()
        self.outputs = settings.width

    def forward(self, images: Images, *, tapped: bool = False) -> Maps:
        """One map of height and width 1, so that pooling leaves the class token as it is; no taps."""
        token: Tensor = self.vit(images)
        features = token[:, :, None, None]
        return Maps((features,), features, [])

    def draw_weights(self, network: nn.Module, generator: torch.Generator) -> None:
        """As torchvision draws the backbone's; the neck's by fan-out."""
        initialise_transformer(self, generator)
        draw_by_fan_out(network.get_submodule("neck"), generator)


def initialise_transformer(backbone: TransformerBackbone, generator: torch.Generator) -> None:
    """Draws every weight anew, from this generator; matrices after Glorot as torchvision, biases zero."""
    for name, parameter in backbone.named_parameters():
        if name.endswith("pos_embedding"):
            nn.init.normal_(parameter, std=0.02, generator=generator)
        elif name.endswith("conv_proj.weight"):
            deviation = math.sqrt(1 / parameter[0].numel())
            nn.init.trunc_normal_(parameter, std=deviation, generator=generator)
        elif parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter, generator=generator)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def _resized(weights: Weights, settings: VisionTransformer) -> Weights:
    """Position embeddings interpolated to the size of our images; names as in our backbone."""
    install()
    from torchvision.models.vision_transformer import interpolate_embeddings  # noqa: PLC0415  (behind its guard)

    if "encoder.pos_embedding" in weights:
        weights = {**interpolate_embeddings(settings.image, settings.patch, OrderedDict(weights))}
    return {f"vit.{name}": value for name, value in weights.items()}


FAMILY = Family(
    settings=VisionTransformer,
    build=lambda settings, **_: TransformerBackbone(settings),
    from_torchvision=_resized,
)
