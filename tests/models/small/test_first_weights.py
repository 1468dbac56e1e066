"""First weights: drawn from the generator alone, distributed as in the benchmark."""

import math

import pytest
import torch
from torch import Tensor, nn

from cdd.architecture import SmallNetwork
from cdd.models.network import RetrievalNetwork
from tests.models.small.networks import drawn, each_family


def weights(network: RetrievalNetwork) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@each_family
def test_one_seed_draws_one_network_and_touches_no_other_generator(settings: SmallNetwork) -> None:
    first = weights(drawn(settings, 3))
    torch.manual_seed(0)
    torch.testing.assert_close(weights(drawn(settings, 3)), first, rtol=0, atol=0)
    assert not torch.equal(weights(drawn(settings, 4)), first)


@each_family
def test_all_that_is_not_constant_is_drawn(settings: SmallNetwork) -> None:
    pairs = zip(drawn(settings, 3).named_parameters(), drawn(settings, 4).parameters(), strict=True)
    for (name, first), second in pairs:
        assert not torch.equal(first, second) or first.unique().tolist() in ([0], [1]), name


def uniform_deviation(fan_in: int) -> float:
    return 1 / math.sqrt(3 * fan_in)


@pytest.mark.parametrize(
    ("settings", "by_fan_out", "deviation", "is_biased"),
    [
        (SmallNetwork(family="resnet", depth=20), True, None, True),
        (SmallNetwork(family="bottleneck-resnet", depth=50, width=0.25), True, None, True),
        (SmallNetwork(family="wide-resnet", depth=16, width=2), True, None, False),
        (SmallNetwork(family="vgg", depth=8, width=0.5), True, 0.01, False),
        (SmallNetwork(family="mobilenet-v2"), True, 0.01, False),
        (SmallNetwork(family="shufflenet-v1"), False, None, True),
        (SmallNetwork(family="shufflenet-v2"), False, None, True),
    ],
    ids=lambda value: value.family if isinstance(value, SmallNetwork) else None,
)
def test_weights_are_distributed_as_in_the_benchmark(
    settings: SmallNetwork, by_fan_out: bool, deviation: float | None, is_biased: bool
) -> None:
    network = drawn(settings)
    scaled = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            area = layer.weight[0, 0].numel()
            # Of a convolution per channel, all outputs count: PyTorch's fan-out knows no groups.
            he = math.sqrt(2 / (layer.out_channels * area))
            expected = he if by_fan_out else uniform_deviation(layer.weight[0].numel())
            scaled.append(layer.weight.detach().flatten() / expected)
            assert layer.bias is None or not layer.bias.any()
        elif isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all()
            assert not layer.bias.any()
    together = torch.cat(scaled)
    assert together.std().item() == pytest.approx(1, abs=0.02)
    # A uniform value is never beyond the square root of three deviations; a normal one in 8 of 100 cases.
    assert (together.abs() > 1.74).float().mean().item() == pytest.approx(0.08 * by_fan_out, abs=0.01)
    linear = network.classifier
    expected = deviation or uniform_deviation(linear.in_features)
    assert linear.weight.std().item() == pytest.approx(expected, rel=0.1)
    assert bool(linear.bias.any()) == is_biased
    assert linear.bias.abs().max() <= 1 / math.sqrt(linear.in_features)
