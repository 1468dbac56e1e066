"""The families' blocks against torchvision's, a plain reference, or their own laws."""

import pytest
import torch
from torch import Tensor, nn

from cdd.models.small import shufflenet_v1, shufflenet_v2
from cdd.models.small.mobilenet_v2 import InvertedResidual
from cdd.models.small.resnet import ResidualStage
from cdd.models.small.staged import Chain
from cdd.models.small.vgg import vgg
from cdd.models.small.wide_resnet import wide_resnet
from cdd.torchvision_guard import install
from tests.models.small.networks import with_statistics

LAYERS = (nn.Conv2d, nn.BatchNorm2d)


def layers(module: nn.Module) -> list[nn.Module]:
    return [layer for layer in module.modules() if isinstance(layer, LAYERS)]


def give(ours: nn.Module, theirs: nn.Module, generator: torch.Generator) -> None:
    """The layers of one, in order, to the other; both in evaluation mode."""
    with_statistics(theirs, generator)
    for layer, given in zip(layers(ours), layers(theirs), strict=True):
        layer.load_state_dict(given.state_dict())
    ours.eval()
    theirs.eval()


def test_inverted_residuals_are_torchvisions(generator: torch.Generator) -> None:
    install()
    from torchvision.models.mobilenetv2 import InvertedResidual as Torchvision  # noqa: PLC0415  (behind its guard)

    images = torch.randn(2, 8, 8, 8)
    for outputs, stride in ((8, 1), (8, 2), (12, 1)):
        theirs = Torchvision(8, outputs, stride, expand_ratio=6)
        ours = InvertedResidual(8, outputs, 6, stride)
        give(ours, theirs, generator)
        torch.testing.assert_close(ours(images), theirs(images))


def test_blocks_of_shufflenet_v2_are_torchvisions(generator: torch.Generator) -> None:
    install()
    from torchvision.models.shufflenetv2 import InvertedResidual as Torchvision  # noqa: PLC0415  (behind its guard)

    images = torch.randn(2, 8, 8, 8).relu()
    pairs = (
        (shufflenet_v2.KeepingBlock(8), Torchvision(8, 8, 1)),
        (shufflenet_v2.HalvingBlock(8, 20), Torchvision(8, 20, 2)),
    )
    for ours, theirs in pairs:
        give(ours, theirs, generator)
        torch.testing.assert_close(ours(images).relu(), theirs(images))


def test_vgg_is_torchvisions_without_its_last_two_poolings(generator: torch.Generator) -> None:
    install()
    from torchvision.models import vgg13_bn  # noqa: PLC0415  (behind its guard)

    theirs = vgg13_bn().features
    ours = vgg(13, 1.0)
    give(ours, theirs, generator)
    poolings = [index for index, layer in enumerate(theirs) if isinstance(layer, nn.MaxPool2d)]
    for index in poolings[-2:]:
        theirs[index] = nn.Identity()
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(ours(images).stages[-1], theirs(images))


def wide_resnet_by_hand(remaining: list[nn.Module], images: Tensor, blocks: int) -> Tensor:
    """The last map, every block with its own batch norm of its input."""
    layer = iter(remaining)
    features: Tensor = next(layer)(images)
    for stage in range(3):
        for index in range(blocks):
            activated = next(layer)(features).relu()
            convolution, norm, last = next(layer), next(layer), next(layer)
            inner = last(norm(convolution(activated)).relu())
            projects = index == 0 and (stage > 0 or features.shape[1] != inner.shape[1])
            features = inner + (next(layer)(activated) if projects else features)
    normed: Tensor = next(layer)(features)
    return normed.relu()


def test_wide_resnets_compute_what_their_paper_says(generator: torch.Generator) -> None:
    images = torch.randn(2, 3, 16, 16)
    for width in (1.0, 2.0):
        network = wide_resnet(16, width).eval()
        with_statistics(network, generator)
        last = wide_resnet_by_hand(layers(network), images, blocks=2)
        torch.testing.assert_close(network(images).stages[-1], last)


class Shifted(nn.Module):
    """Takes one away, with the keyword and the second result of a residual block where asked for."""

    def __init__(self, *, is_residual: bool):
        super().__init__()
        self.is_residual = is_residual

    def forward(self, features: Tensor, *, tapped: bool = True) -> object:
        assert tapped is not self.is_residual
        return (features - 1, None) if self.is_residual else features - 1


@pytest.mark.parametrize("is_residual", [True, False])
def test_a_relu_stands_between_blocks_but_not_around_them(is_residual: bool) -> None:
    blocks = [Shifted(is_residual=is_residual) for _ in range(3)]
    stage = ResidualStage(blocks) if is_residual else Chain(blocks)
    values = torch.tensor([-2.0, 0.5, 1.5, 2.5, 5.0])
    torch.testing.assert_close(stage(values), torch.tensor([-1.0, -1.0, -1.0, -0.5, 2.0]))
    only = type(stage)(blocks[:1])
    torch.testing.assert_close(only(values), values - 1)


def test_the_first_shufflenet_halves_by_averaging(generator: torch.Generator) -> None:
    block = shufflenet_v1.HalvingBlock(24, 60, groups=1).eval()
    images = torch.randn(2, 24, 8, 8, generator=generator)
    outputs = block(images)
    assert outputs.shape == (2, 60, 4, 4)
    # Zeros around the image count.
    torch.testing.assert_close(outputs[:, 36:, 0, 0], images[:, :, :2, :2].sum(dim=(2, 3)) / 9)


def test_the_shuffle_lets_every_group_see_every_group() -> None:
    block = shufflenet_v1.KeepingBlock(36).eval()
    images = torch.randn(1, 36, 4, 4, requires_grad=True)
    for group in range(3):
        seen = block.branch(images)[:, 12 * group : 12 * (group + 1)].square().sum()
        (gradient,) = torch.autograd.grad(seen, images)
        assert all(part.any() for part in gradient.chunk(3, dim=1))
