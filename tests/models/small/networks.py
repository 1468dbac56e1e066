"""One narrow network of every family, as tests run them."""

import pytest
import torch

from cdd.architecture import SmallNetwork
from cdd.models.network import RetrievalNetwork, initialise

NARROW = (
    SmallNetwork(family="resnet", depth=14, width=0.5),
    SmallNetwork(family="resnet", depth=8, width=2),
    SmallNetwork(family="wide-resnet", depth=16),
    SmallNetwork(family="wide-resnet", depth=10, width=0.5),
    SmallNetwork(family="vgg", depth=11, width=0.125),
    SmallNetwork(family="bottleneck-resnet", depth=50, width=0.125),
    SmallNetwork(family="mobilenet-v2", width=0.25),
    SmallNetwork(family="shufflenet-v1", width=0.125),
    SmallNetwork(family="shufflenet-v2", width=0.125),
)
CLASSES = 10
each_family = pytest.mark.parametrize("settings", NARROW, ids=lambda s: f"{s.family}-{s.depth}-{s.width:g}")


def drawn(settings: SmallNetwork, seed: int = 0) -> RetrievalNetwork:
    """A network of first weights."""
    network = RetrievalNetwork(settings, CLASSES)
    initialise(network, torch.Generator().manual_seed(seed))
    return network


def with_statistics(network: torch.nn.Module, generator: torch.Generator) -> None:
    """Gives all batch norms scales, shifts and statistics of their own, so that none is the identity."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            torch.nn.init.normal_(layer.bias, std=0.3, generator=generator)
            torch.nn.init.normal_(layer.running_mean, std=0.3, generator=generator)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2, generator=generator)
