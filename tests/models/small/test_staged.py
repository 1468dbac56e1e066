"""Laws of every family: what its stages look like, and how the last map stands to its ReLU."""

import pytest
import torch

from cdd.architecture import SmallNetwork
from cdd.models.small.families import staged_backbone
from cdd.models.small.staged import scaled
from tests.models.small.networks import drawn, each_family, with_statistics

# Side of the maps of the stages for images of 32 pixels.
SIDES = {
    "resnet": (32, 16, 8),
    "wide-resnet": (32, 16, 8),
    "vgg": (16, 8, 4, 4),
    "bottleneck-resnet": (32, 16, 8, 4),
    "mobilenet-v2": (16, 8, 4, 2),
    "shufflenet-v1": (16, 8, 4),
    "shufflenet-v2": (16, 8, 4),
}


@pytest.mark.parametrize("size", [32, 16])
@each_family
def test_stages_have_the_benchmarks_sizes(settings: SmallNetwork, size: int) -> None:
    backbone = staged_backbone(settings).eval()
    maps = backbone(torch.randn(1, 3, size, size), tapped=True)
    sides = [side * size // 32 for side in SIDES[settings.family]]
    assert [tuple(stage.shape[1:]) for stage in maps.stages] == [
        (channels, side, side) for channels, side in zip(backbone.stage_channels, sides, strict=True)
    ]
    assert backbone.outputs == backbone.stage_channels[-1]
    assert maps.taps == []


@each_family
def test_the_last_map_is_the_relu_of_what_stood_before_it(
    settings: SmallNetwork, generator: torch.Generator
) -> None:
    backbone = drawn(settings).backbone
    with_statistics(backbone, generator)
    for training in (True, False):
        maps = backbone.train(training)(torch.randn(4, 3, 32, 32, generator=generator))
        torch.testing.assert_close(maps.before_last_relu.relu(), maps.stages[-1], rtol=0, atol=0)
        assert (maps.before_last_relu < 0).any()


@each_family
def test_only_mobilenets_inner_stages_are_linear(settings: SmallNetwork) -> None:
    maps = drawn(settings)(torch.randn(4, 3, 32, 32), mapped=True).stages
    linear = settings.family == "mobilenet-v2"
    assert [bool((stage < 0).any()) for stage in maps] == [linear] * (len(maps) - 1) + [False]


@each_family
def test_every_parameter_is_used(settings: SmallNetwork, generator: torch.Generator) -> None:
    # In evaluation mode, because a batch's own mean takes away the bias of the convolution before it.
    network = drawn(settings).double().eval()
    with_statistics(network, generator)
    logits = network(torch.randn(2, 3, 32, 32, dtype=torch.float64)).logits
    logits.square().sum().backward()
    unused = [
        name for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]  # fmt: skip
    assert not unused


@pytest.mark.parametrize("width", [0.125, 0.3, 0.75, 1.5])
@pytest.mark.parametrize(
    ("family", "depth"),
    [
        ("resnet", 8),
        ("wide-resnet", 10),
        ("vgg", 8),
        ("bottleneck-resnet", 50),
        ("mobilenet-v2", None),
        ("shufflenet-v1", None),
        ("shufflenet-v2", None),
    ],
)
def test_any_width_makes_a_network(family: str, depth: int | None, width: float) -> None:
    settings = SmallNetwork.model_validate({"family": family, "depth": depth, "width": width})
    with torch.device("meta"):
        backbone = staged_backbone(settings).eval()
        maps = backbone(torch.empty(1, 3, 32, 32))
    assert tuple(stage.shape[1] for stage in maps.stages) == backbone.stage_channels


def test_scaled_channels_are_multiples_and_never_none() -> None:
    assert [scaled(240, width, 12) for width in (1, 0.5, 0.125, 0.01)] == [240, 120, 24, 12]
    assert scaled(16, 0.001) == 1
