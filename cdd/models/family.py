"""Declaration of a family of networks, and the base class of its backbones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from torch import Generator, Tensor, nn

from cdd.discovery import declarations

if TYPE_CHECKING:
    from cdd.architecture import Architecture

Weights = dict[str, Tensor]


class BackboneModule(nn.Module):
    """Base of the backbones: images in, `Maps` out.

    Attributes:
        outputs: channels of the last map, which is pooled.
        stage_channels: of the map that leaves each stage; empty where the maps are not a network's stages.
    """

    outputs: int
    stage_channels: tuple[int, ...] = ()

    def draw_weights(self, network: nn.Module, generator: Generator) -> None:
        """Draws every weight of the retrieval network around this backbone anew: He's, by fan-out."""
        draw_by_fan_out(network, generator)


@dataclass(frozen=True, kw_only=True)
class Family:
    """How networks of one kind of settings come about.

    Attributes:
        settings: what `build` is called with, and with `channels` and `folded` of `build_backbone`.
        from_torchvision: the weights under the backbone's names, for the settings' size of images.
    """

    settings: "type[Architecture]"
    build: Callable[..., BackboneModule]
    from_torchvision: Callable[[Weights, Any], Weights] = lambda weights, settings: weights


def family_of(settings: "Architecture") -> Family:
    """The family that the settings belong to.

    Raises:
        ValueError: for settings of which no module of `cdd.models` declares a family.
    """
    found = families().get(type(settings))
    if found is None:
        raise ValueError(f"no module of cdd.models declares the Family of {type(settings).__name__}")
    return found


@cache
def families() -> dict["type[Architecture]", Family]:
    """Every declared family, by the type of its settings."""
    return {value.settings: value for _, value in declarations("cdd.models") if isinstance(value, Family)}


def draw_by_fan_out(module: nn.Module, generator: Generator) -> None:
    """Draws all convolutions and linear layers anew: He initialisation; batch norms stay 1 and 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
