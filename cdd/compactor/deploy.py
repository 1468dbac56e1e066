"""From the trained student to the network that is deployed: pruned, folded, really smaller."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from cdd.compactor.fold import drop_inputs, drop_outputs, fold_batch_norm, merge
from cdd.compactor.layer import Compactor
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import BasicBlock, Bottleneck
from cdd.recipe import Backbone


def deploy(
    network: RetrievalNetwork, backbone: Backbone, kept: Sequence[Bool[Tensor, "_"]] | None = None
) -> RetrievalNetwork:
    """A new network without compactors and foldable batch norms, on the CPU, in evaluation mode.

    Args:
        network: the trained student; it is not changed.
        backbone: what the student was built from.
        kept: per bottleneck, which output channels of the 3x3 convolution (and its compactor) stay;
            all of them where not given.

    Source: Section 3.1.2, Eq. 4.
    """
    if kept is None:
        kept = [torch.ones(block.conv2.out_channels, dtype=torch.bool) for block in network.bottlenecks]
    slim = RetrievalNetwork(
        backbone,
        network.classifier.out_features,
        channels=[int(mask.sum()) for mask in kept] or None,
        folded=True,
    ).eval()
    state = {name: value for name, value in network.state_dict().items() if not name.startswith("backbone.")}
    for name, layer in _folded_layers(network, kept).items():
        state |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
    slim.load_state_dict({name: value.cpu() for name, value in state.items()})
    return slim


def silenced(network: RetrievalNetwork, kept: Sequence[Bool[Tensor, "_"]]) -> RetrievalNetwork:
    """A copy, not smaller, in which the channels that are not kept are exactly zero.

    What `deploy` builds from `network` computes what this copy computes, up to rounding.
    """
    copy = deepcopy(network)
    with torch.no_grad():
        for block, mask in zip(copy.bottlenecks, kept, strict=True):
            if isinstance(block.compactor, Compactor):
                block.compactor.weight[~mask] = 0
            else:
                norm = _norm(block.bn2)
                norm.weight[~mask] = 0
                norm.bias[~mask] = 0
    return copy


def _folded_layers(network: RetrievalNetwork, kept: Sequence[Tensor]) -> dict[str, nn.Conv2d]:
    layers = {"backbone.conv1": fold_batch_norm(network.backbone.conv1, _norm(network.backbone.bn1))}
    remaining = iter(kept)
    for name, block in network.named_modules():
        if isinstance(block, Bottleneck):
            folded = _folded_bottleneck(block, next(remaining))
        elif isinstance(block, BasicBlock):
            folded = {"conv1": fold_batch_norm(block.conv1, _norm(block.bn1))}
            folded["conv2"] = fold_batch_norm(block.conv2, _norm(block.bn2))
        else:
            continue
        if block.downsample is not None:
            convolution, norm = block.downsample
            folded["downsample.0"] = fold_batch_norm(convolution, _norm(norm))
        layers |= {f"{name}.{key}": layer for key, layer in folded.items()}
    return layers


def _folded_bottleneck(block: Bottleneck, kept: Tensor) -> dict[str, nn.Conv2d]:
    inner = fold_batch_norm(block.conv2, _norm(block.bn2))
    mask = kept.to(inner.weight.device)
    compactor = block.compactor
    return {
        "conv1": fold_batch_norm(block.conv1, _norm(block.bn1)),
        "conv2": merge(inner, compactor, mask)
        if isinstance(compactor, Compactor)
        else drop_outputs(inner, mask),
        "conv3": drop_inputs(fold_batch_norm(block.conv3, _norm(block.bn3)), mask),
    }


def _norm(module: nn.Module) -> nn.BatchNorm2d:
    if not isinstance(module, nn.BatchNorm2d):
        raise ValueError("the network is folded already: deploy takes the network as it was trained")
    return module
