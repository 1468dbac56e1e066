"""A vision transformer as a backbone: torchvision's, with the class token as a map of one pixel.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; the row ViT-Base of Table 3.
"""

import math

import torch
from torch import Tensor, nn

from cdd.architecture import VisionTransformer
from cdd.models.maps import Images, Maps
from cdd.torchvision_guard import install


class TransformerBackbone(nn.Module):
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
