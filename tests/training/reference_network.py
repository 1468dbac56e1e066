"""The retrieval network of the reference step: pure functions over a dictionary of tensors.

Names are those of the authors' release: the neck and the identities' weights are all called "classifier".
The seed recipe of every weight is `start`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Shape:
    """A bottleneck ResNet of any depth and width; the defaults are ResNet-101."""

    blocks: tuple[int, int, int, int] = (3, 4, 23, 3)
    planes: tuple[int, int, int, int] = (64, 128, 256, 512)
    embedding: int = 512
    identities: int = 6

    def layers(self) -> list[tuple[str, int, int, int]]:
        """Name, inputs, planes and stride of every block; the last stage keeps the resolution."""
        found, inputs = [], self.planes[0]
        for stage, (count, planes) in enumerate(zip(self.blocks, self.planes, strict=True)):
            for index in range(count):
                stride = 2 if index == 0 and stage in (1, 2) else 1
                found.append((f"layer{stage + 1}.{index}", inputs, planes, stride))
                inputs = 4 * planes
        return found


def start(shape: Shape, seed: int, *, noise: float | None = None) -> State:
    """Every weight and statistic, drawn in order from numpy's generator of this seed, in float64.

    Convolutions and linear layers have unit gain; batch norms are away from 1 and 0. The tapped batch norms
    make some channels a hundred times smaller than others, the same in every network, as a mask needs.

    Args:
        noise: of the compactors around the identity; None leaves them out, as in a teacher.
    """
    generator = np.random.default_rng(seed)
    state: State = {}

    def weight(name: str, *size: int) -> None:
        gain = math.prod(size[1:]) ** -0.5
        state[f"{name}.weight"] = torch.from_numpy(generator.standard_normal(size)) * gain

    def norm(name: str, channels: int, scale: Tensor | float = 1.0) -> None:
        drawn = torch.from_numpy(generator.standard_normal((4, channels)))
        state[f"{name}.weight"] = scale * (1 + 0.2 * drawn[0])
        state[f"{name}.bias"] = scale * 0.5 * drawn[1]
        state[f"{name}.running_mean"] = 0.2 * drawn[2]
        state[f"{name}.running_var"] = (0.3 * drawn[3]).exp()

    weight("conv1", shape.planes[0], 3, 7, 7)
    norm("bn1", shape.planes[0])
    for name, inputs, planes, stride in shape.layers():
        weight(f"{name}.conv1", planes, inputs, 1, 1)
        norm(f"{name}.bn1", planes)
        weight(f"{name}.conv2", planes, planes, 3, 3)
        order = torch.from_numpy(np.random.default_rng(planes).permutation(planes))
        norm(f"{name}.bn2", planes, 0.01 ** (order / planes))
        if noise is not None:
            weight(f"{name}.dgc", planes, planes, 1, 1)
            state[f"{name}.dgc.weight"] *= noise
            state[f"{name}.dgc.weight"] += torch.eye(planes, dtype=torch.float64)[:, :, None, None]
        weight(f"{name}.conv3", 4 * planes, planes, 1, 1)
        norm(f"{name}.bn3", 4 * planes)
        if stride != 1 or inputs != 4 * planes:
            weight(f"{name}.downsample.0", 4 * planes, inputs, 1, 1)
            norm(f"{name}.downsample.1", 4 * planes)
    norm("classifier.bn_in", 4 * shape.planes[3])
    weight("classifier.linear", shape.embedding, 4 * shape.planes[3])
    norm("classifier.bn_out", shape.embedding)
    weight("classifier.identities", shape.identities, shape.embedding)
    return state


def is_parameter(name: str) -> bool:
    return "running" not in name


@dataclass
class Output:
    """What the losses read; one row per image in everything."""

    pooled: Tensor
    logits: Tensor
    before: list[Tensor] = field(default_factory=list)
    after: list[Tensor] = field(default_factory=list)


def forward(state: Mapping[str, Tensor], shape: Shape, images: Tensor, *, training: bool = True) -> Output:
    """The network; in training its batch norms use, and their statistics follow, the batch (momentum 0.1)."""

    def norm(name: str, values: Tensor) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        scale, shift = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.batch_norm(values, mean, var, scale, shift, training=training, momentum=0.1, eps=1e-5)

    def conv(name: str, values: Tensor, stride: int = 1) -> Tensor:
        kernel = state[f"{name}.weight"]
        return F.conv2d(values, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    output = Output(images, images)
    values = F.max_pool2d(F.relu(norm("bn1", conv("conv1", images, 2))), 3, 2, 1)
    for name, _, _, stride in shape.layers():
        inner = F.relu(norm(f"{name}.bn1", conv(f"{name}.conv1", values)))
        inner = norm(f"{name}.bn2", conv(f"{name}.conv2", inner, stride))
        output.before.append(inner.mean((2, 3)))
        if f"{name}.dgc.weight" in state:
            inner = conv(f"{name}.dgc", inner)
        output.after.append(inner.mean((2, 3)))
        inner = norm(f"{name}.bn3", conv(f"{name}.conv3", F.relu(inner)))
        if f"{name}.downsample.0.weight" in state:
            values = norm(f"{name}.downsample.1", conv(f"{name}.downsample.0", values, stride))
        values = F.relu(inner + values)
    output.pooled = values.mean((2, 3))
    neck = F.relu(norm("classifier.bn_in", output.pooled)) @ state["classifier.linear.weight"].T
    output.logits = norm("classifier.bn_out", neck) @ state["classifier.identities.weight"].T
    return output


def normalised(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """Pixels 0..255 as the networks take them, computed in float32 and then converted."""
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return ((pixels / 255 - mean) / deviation).to(dtype)
