"""Parameters and multiply-adds in the paper's convention.

Parameters are those of the deployed network (batch norm folded into biases, head included) without
the identity classifier. Multiply-adds are what the paper calls FLOPs: convolution and linear
multiply-adds, convolution bias additions, one per element of `nn.ReLU` modules, one per input element
of pooling and two per channel of the head's batch norms; the classifier is counted, functional ReLU
and residual additions are not. The convention of ptflops up to 0.7, not twice the multiply-adds. Of a
transformer, linear layers with their biases and attention count; layer norms, GELU and softmax do not.
A network for small images is counted as it is trained: with batch norms and classifier, as QuEST's
supplement counts it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cdd.architecture import Network
from cdd.models.network import RetrievalNetwork
from cdd.models.zoo import BACKBONES

MSMT17_IDENTITIES = 1041


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of a deployed network.

    Attributes:
        parameters: without the identity classifier; of a network for small images, all parameters.
        multiply_adds: of one image, classifier included.
        breakdown: multiply-adds by kind of layer.
    """

    parameters: int
    multiply_adds: int
    breakdown: dict[str, int]


def cost(
    backbone: Network, height: int, width: int, *, channels: Sequence[int] | None = None, identities: int
) -> Cost:
    """Cost of the deployed form of a backbone whose bottlenecks keep `channels` (all by default).

    One count per bottleneck, of its 3x3 convolution, or two, of its first and its 3x3 convolution.

    Counted on a network without storage (the meta device), so no memory is allocated.
    """
    with torch.device("meta"):
        network = RetrievalNetwork(backbone, identities, channels=channels, folded=True).eval()
        counts: Counter[str] = Counter()
        for module in network.modules():
            module.register_forward_hook(
                lambda m, inputs, output: counts.update(_multiply_adds(m, inputs, output))
            )
        network(torch.empty(1, 3, height, width))
    parameters = sum(p.numel() for p in network.parameters())
    if backbone.embedding is not None:
        parameters -= network.classifier.weight.numel()
    return Cost(parameters, counts.total(), dict(counts))


def cost_of(
    name: str,
    height: int,
    width: int,
    channels: Sequence[int] | None = None,
    identities: int = MSMT17_IDENTITIES,
) -> Cost:
    """Cost of a backbone by name; by default with MSMT17's classifier, as the authors count.

    Raises:
        ValueError: for an unknown name or channel counts that do not fit.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}: choose one of {', '.join(BACKBONES)}")
    backbone = BACKBONES[name].for_images(height, width)
    return cost(backbone, height, width, channels=channels, identities=identities)


def _multiply_adds(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> dict[str, int]:
    if isinstance(module, nn.Conv2d | nn.Linear) and isinstance(output, Tensor):
        kind = "linear" if isinstance(module, nn.Linear) else "convolution"
        bias = 0 if module.bias is None else output.numel()
        return {kind: output.numel() * module.weight[0].numel(), "bias": bias}
    if isinstance(module, nn.MultiheadAttention):
        _, tokens, width = inputs[0].shape
        # Four projections, then scores and weighted sum: tokens x tokens x width each.
        return {"attention": 4 * tokens * width**2 + 2 * tokens**2 * width}
    if isinstance(module, nn.BatchNorm1d):
        return {"batch_norm": 2 * module.num_features}
    if isinstance(module, nn.ReLU):
        return {"relu": inputs[0].numel()}
    if isinstance(module, nn.MaxPool2d | nn.AdaptiveAvgPool2d):
        return {"pooling": inputs[0].numel()}
    return {}
