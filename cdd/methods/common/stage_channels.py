"""Feature maps of the stages of two networks: channels, pairs, common size, initial weights."""

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from cdd.contract import RetrievalOutput
from cdd.losses.numerics import at_least_single
from cdd.models.network import RetrievalNetwork

Pair = tuple[Tensor, Tensor]
LAYERS = (nn.Conv2d, nn.ConvTranspose2d)


def stage_channels(network: nn.Module | None) -> list[int]:
    """Channels of the map at the end of each stage, for as many stages as the network has.

    Raises:
        ValueError: for anything but a network whose stages are known.
    """
    if not isinstance(network, RetrievalNetwork):
        raise ValueError(
            "the stages of student and teacher must be known: give two networks of type RetrievalNetwork, "
            f"not {type(network).__name__}"
        )
    if not network.backbone.stage_channels:
        raise ValueError("the method compares the maps of four stages; this network has none")
    return list(network.backbone.stage_channels)


def stage_maps(student: RetrievalOutput, teacher: RetrievalOutput | None) -> list[Pair]:
    """Pairs of student's and teacher's map per stage, in at least float32; the teacher's detached.

    Raises:
        ValueError: without a teacher, or where one of the two outputs has no maps or fewer of them.
    """
    if teacher is None:
        raise ValueError("the method compares maps with a teacher's in every step, but there is no teacher")
    if not student.stages or len(student.stages) != len(teacher.stages):
        raise ValueError(
            f"{len(student.stages)} maps of the student and {len(teacher.stages)} of the teacher cannot be "
            "compared: call both networks with mapped=True"
        )
    pairs = zip(student.stages, teacher.stages, strict=True)
    return [
        (at_least_single(student_map), at_least_single(teacher_map.detach()))
        for student_map, teacher_map in pairs
    ]


def at_smaller_size(
    first: Float[Tensor, "batch first_channels first_height first_width"],
    second: Float[Tensor, "batch second_channels second_height second_width"],
) -> tuple[
    Float[Tensor, "batch first_channels height width"], Float[Tensor, "batch second_channels height width"]
]:
    """Both maps at the smaller height and the smaller width of the two, averaged where larger.

    Differs: published codes pool to squares of the smaller height, which distorts maps such as 20x10.
    """
    size = (min(first.shape[2], second.shape[2]), min(first.shape[3], second.shape[3]))
    return averaged(first, size), averaged(second, size)


def averaged(
    features: Float[Tensor, "batch channels _ _"], size: tuple[int, int]
) -> Float[Tensor, "batch channels height width"]:
    """The map at this height and width."""
    return features if features.shape[2:] == size else F.adaptive_avg_pool2d(features, size)


def draw_weights(module: nn.Module, generator: Generator) -> None:
    """Draws all convolutions anew, with PyTorch's own distribution but from this generator.

    Uniform within 1 / sqrt(fan-in), weights and biases alike.
    """
    for layer in module.modules():
        if isinstance(layer, LAYERS):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(layer.weight[0].numel())
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
