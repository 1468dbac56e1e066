"""The networks have the benchmark's parameters, one by one, and the paper's compressions follow from them."""

from itertools import pairwise

import pytest
import torch

from cdd.architecture import SmallNetwork
from cdd.models.network import RetrievalNetwork

CLASSES = 100


def parameters(network: SmallNetwork) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in RetrievalNetwork(network, CLASSES).parameters())


def resnet(depth: int, width: int) -> SmallNetwork:
    return SmallNetwork(family="resnet", depth=depth, width=width)


def wide(depth: int, width: int) -> SmallNetwork:
    return SmallNetwork(family="wide-resnet", depth=depth, width=width)


def vgg(depth: int) -> SmallNetwork:
    return SmallNetwork(family="vgg", depth=depth)


RESNET50 = SmallNetwork(family="bottleneck-resnet", depth=50)
MOBILENET = SmallNetwork(family="mobilenet-v2", width=0.5)
SHUFFLENET_1 = SmallNetwork(family="shufflenet-v1")
SHUFFLENET_2 = SmallNetwork(family="shufflenet-v2")


def normed(inputs: int, outputs: int, area: int) -> int:
    """A convolution without bias and its batch norm."""
    return inputs * outputs * area + 2 * outputs


def resnet_by_hand(depth: int, width: int) -> int:
    stem, blocks = (16 if width == 1 else 32), (depth - 2) // 6
    total, inputs = normed(3, stem, 9) + (64 * width + 1) * CLASSES, stem
    for planes in (16 * width, 32 * width, 64 * width):
        total += normed(inputs, planes, 9) + (2 * blocks - 1) * normed(planes, planes, 9)
        total += 0 if inputs == planes else normed(inputs, planes, 1)
        inputs = planes
    return total


def wide_by_hand(depth: int, width: int) -> int:
    blocks, sizes = (depth - 4) // 6, (16, 16 * width, 32 * width, 64 * width)
    total = 3 * 16 * 9 + 2 * sizes[-1] + (sizes[-1] + 1) * CLASSES
    for inputs, outputs in pairwise(sizes):
        # Each block has a batch norm of its input and one between its convolutions.
        total += 2 * inputs + 2 * outputs + 9 * (inputs * outputs + outputs**2)
        total += (blocks - 1) * (4 * outputs + 18 * outputs**2)
        total += 0 if inputs == outputs else inputs * outputs
    return total


def vgg_by_hand(convolutions: list[int]) -> int:
    # Here a convolution has a bias beside its batch norm.
    pairs = pairwise([3, *convolutions])
    return sum(normed(i, o, 9) + o for i, o in pairs) + (convolutions[-1] + 1) * CLASSES


def resnet50_by_hand() -> int:
    total, inputs = normed(3, 64, 9) + (2048 + 1) * CLASSES, 64
    for planes, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        outputs = 4 * planes
        every = normed(planes, planes, 9) + normed(planes, outputs, 1)
        total += blocks * every + normed(inputs, planes, 1) + (blocks - 1) * normed(outputs, planes, 1)
        total += normed(inputs, outputs, 1)
        inputs = outputs
    return total


@pytest.mark.parametrize(("depth", "width"), [(8, 1), (20, 1), (32, 1), (56, 1), (110, 1), (8, 4), (32, 4)])
def test_resnets_have_the_parameters_of_the_formula(depth: int, width: int) -> None:
    assert parameters(resnet(depth, width)) == resnet_by_hand(depth, width)


@pytest.mark.parametrize(("depth", "width"), [(16, 1), (16, 2), (40, 1), (40, 2), (28, 10)])
def test_wide_resnets_have_the_parameters_of_the_formula(depth: int, width: int) -> None:
    assert parameters(wide(depth, width)) == wide_by_hand(depth, width)


@pytest.mark.parametrize(
    ("depth", "convolutions"),
    [
        (8, [64, 128, 256, 512, 512]),
        (11, [64, 128, 256, 256, 512, 512, 512, 512]),
        (13, [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]),
        (16, [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6),
        (19, [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8),
    ],
)
def test_vggs_have_the_parameters_of_the_formula(depth: int, convolutions: list[int]) -> None:
    assert parameters(vgg(depth)) == vgg_by_hand(convolutions)


def test_resnet50_has_the_parameters_of_the_formula() -> None:
    assert parameters(RESNET50) == resnet50_by_hand()


@pytest.mark.parametrize(
    ("network", "count"), [(MOBILENET, 812_836), (SHUFFLENET_1, 949_258), (SHUFFLENET_2, 1_355_528)]
)
def test_mobile_networks_have_the_benchmarks_parameters(network: SmallNetwork, count: int) -> None:
    # Stored: counted once on the networks of HobbitLong/RepDistiller.
    assert parameters(network) == count


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        (wide(40, 2), 2.26),
        (wide(16, 2), 0.70),
        (wide(40, 1), 0.57),
        (resnet(56, 1), 0.86),
        (resnet(20, 1), 0.28),
        (resnet(110, 1), 1.73),
        (resnet(32, 1), 0.47),
        (resnet(32, 4), 7.43),
        (resnet(8, 4), 1.23),
        (vgg(13), 9.46),
        (vgg(8), 3.96),
        (MOBILENET, 0.81),
        (RESNET50, 23.7),
        (SHUFFLENET_1, 0.95),
        (SHUFFLENET_2, 1.36),
    ],
)
def test_counts_are_those_of_quests_supplement(network: SmallNetwork, millions: float) -> None:
    # Its Table 1 rounds most counts, but prints 1.7366 M as 1.73 and 3.9650 M as 3.96.
    assert abs(parameters(network) / 1e6 - millions) < 0.01


@pytest.mark.parametrize(
    ("teacher", "student", "percent"),
    [
        (wide(40, 2), wide(16, 2), 68.81),
        (wide(40, 2), wide(40, 1), 74.73),
        (resnet(56, 1), resnet(20, 1), 67.70),
        (resnet(110, 1), resnet(20, 1), 83.97),
        (resnet(110, 1), resnet(32, 1), 72.78),
        (resnet(32, 4), resnet(8, 4), 83.41),
        (vgg(13), vgg(8), 58.10),
        (vgg(13), MOBILENET, 91.41),
        (RESNET50, MOBILENET, 96.57),
        (RESNET50, vgg(8), 83.27),
        (resnet(32, 4), SHUFFLENET_1, 87.23),
        (resnet(32, 4), SHUFFLENET_2, 81.77),
        (wide(40, 2), SHUFFLENET_1, 57.91),
    ],
)
def test_compressions_are_those_of_quests_supplement(
    teacher: SmallNetwork, student: SmallNetwork, percent: float
) -> None:
    assert round(100 * (1 - parameters(student) / parameters(teacher)), 2) == percent
