"""Initial weights of the families, as in the benchmark, whose networks differ in them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class FirstWeights:
    """Initialisation of a family's layers; batch norms start as the identity in all of them.

    Attributes:
        by_fan_out: convolutions are normal with variance 2 / fan-out (He), their biases zero; if not,
            uniform within 1 / sqrt(fan-in), PyTorch's default.
        classifier_deviation: of the normal weights of linear layers; None: PyTorch's default.
        classifier_bias: whether it is drawn, within PyTorch's range, or zero.
    """

    by_fan_out: bool
    classifier_deviation: float | None = None
    classifier_bias: bool = True


RESIDUAL = FirstWeights(by_fan_out=True)
PLAIN = FirstWeights(by_fan_out=True, classifier_deviation=0.01, classifier_bias=False)
SHUFFLED = FirstWeights(by_fan_out=False)
FIRST_WEIGHTS: Mapping[str, FirstWeights] = {
    "resnet": RESIDUAL,
    "wide-resnet": FirstWeights(by_fan_out=True, classifier_bias=False),
    "vgg": PLAIN,
    "bottleneck-resnet": RESIDUAL,
    "mobilenet-v2": PLAIN,
    "shufflenet-v1": SHUFFLED,
    "shufflenet-v2": SHUFFLED,
}
"""By family."""


def draw_first_weights(network: nn.Module, first: FirstWeights, generator: torch.Generator) -> None:
    """Draws all convolutions and linear layers of a new network, in its order, from this generator."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            _draw_convolution(layer, first, generator)
        elif isinstance(layer, nn.Linear):
            _draw_classifier(layer, first, generator)


def _draw_convolution(layer: nn.Conv2d, first: FirstWeights, generator: torch.Generator) -> None:
    if first.by_fan_out:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    else:
        _draw_within(layer.weight, layer.weight[0].numel(), generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _draw_classifier(layer: nn.Linear, first: FirstWeights, generator: torch.Generator) -> None:
    if first.classifier_deviation is None:
        _draw_within(layer.weight, layer.in_features, generator)
    else:
        nn.init.normal_(layer.weight, std=first.classifier_deviation, generator=generator)
    if first.classifier_bias:
        _draw_within(layer.bias, layer.in_features, generator)
    else:
        nn.init.zeros_(layer.bias)


def _draw_within(parameter: Tensor, fan_in: int, generator: torch.Generator) -> None:
    bound = 1 / math.sqrt(fan_in)
    nn.init.uniform_(parameter, -bound, bound, generator=generator)
