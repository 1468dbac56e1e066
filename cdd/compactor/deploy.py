"""Deployment of a trained student: pruned, folded and smaller."""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from cdd.architecture import Network
from cdd.compactor.fold import drop_inputs, drop_outputs, fold_batch_norm, merge
from cdd.compactor.layer import Compactor
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import BasicBlock, Bottleneck, ResNet


def deploy(
    network: RetrievalNetwork, backbone: Network, kept: Sequence[Bool[Tensor, "_"]] | None = None
) -> RetrievalNetwork:
    """A new network without compactors and foldable batch norms, on the CPU, in evaluation mode.

    A network that was trained in its deployed form is only copied.

    Args:
        network: the trained student; it is not changed.
        backbone: settings of the student's backbone.
        kept: per bottleneck, the mask of kept output channels of the 3x3 convolution (and its compactor),
            or two masks, of the first and of the 3x3 convolution; None keeps all channels.

    Source: Section 3.1.2, Eq. 4.
    """
    if network.folded and kept is None:
        return deepcopy(network).cpu().eval()
    channels = None if kept is None else [int(mask.sum()) for mask in kept]
    slim = RetrievalNetwork(backbone, network.classifier.out_features, channels=channels, folded=True).eval()
    state = network.state_dict()
    if isinstance(network.backbone, ResNet):
        state = {name: value for name, value in state.items() if not name.startswith("backbone.")}
        for name, layer in _folded_layers(network, network.backbone, _masks(network, kept)).items():
            state |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
    slim.load_state_dict({name: value.cpu() for name, value in state.items()})
    return slim


def with_pruned_channels_zeroed(
    network: RetrievalNetwork, kept: Sequence[Bool[Tensor, "_"]]
) -> RetrievalNetwork:
    """A copy of the same size in which the channels that are not kept are exactly zero.

    Its outputs equal those of the network that `deploy` returns, up to rounding.
    """
    copy = deepcopy(network)
    with torch.no_grad():
        for block, (entry, inner) in zip(copy.bottlenecks, _masks(copy, kept), strict=True):
            _zero_pruned_channels(block.entry_compactor, block.bn1, entry)
            _zero_pruned_channels(block.compactor, block.bn2, inner)
    return copy


def _zero_pruned_channels(compactor: nn.Module, norm: nn.Module, mask: Tensor) -> None:
    if isinstance(compactor, Compactor):
        compactor.weight[~mask] = 0
    else:
        _norm(norm).weight[~mask] = 0
        _norm(norm).bias[~mask] = 0


def _masks(network: RetrievalNetwork, kept: Sequence[Tensor] | None) -> list[tuple[Tensor, Tensor]]:
    """Masks of the first and the 3x3 convolution per bottleneck, on the network's device."""
    blocks = network.bottlenecks
    device = network.classifier.weight.device
    full = [torch.ones(block.conv2.out_channels, dtype=torch.bool, device=device) for block in blocks]
    masks = full if kept is None else [mask.to(device) for mask in kept]
    if len(masks) == 2 * len(blocks):
        return list(zip(masks[::2], masks[1::2], strict=True))
    return list(zip(full, masks, strict=True))


def _folded_layers(
    network: RetrievalNetwork, backbone: ResNet, masks: Sequence[tuple[Tensor, Tensor]]
) -> Mapping[str, nn.Conv2d]:
    layers = {"backbone.conv1": fold_batch_norm(backbone.conv1, _norm(backbone.bn1))}
    remaining = iter(masks)
    for name, block in network.named_modules():
        if isinstance(block, Bottleneck):
            folded = _folded_bottleneck(block, *next(remaining))
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


def _folded_bottleneck(block: Bottleneck, entry: Tensor, inner: Tensor) -> dict[str, nn.Conv2d]:
    second = drop_inputs(fold_batch_norm(block.conv2, _norm(block.bn2)), entry)
    return {
        "conv1": _slim(fold_batch_norm(block.conv1, _norm(block.bn1)), block.entry_compactor, entry),
        "conv2": _slim(second, block.compactor, inner),
        "conv3": drop_inputs(fold_batch_norm(block.conv3, _norm(block.bn3)), inner),
    }


def _slim(convolution: nn.Conv2d, compactor: nn.Module, kept: Tensor) -> nn.Conv2d:
    if isinstance(compactor, Compactor):
        return merge(convolution, compactor, kept)
    return drop_outputs(convolution, kept)


def _norm(module: nn.Module) -> nn.BatchNorm2d:
    if not isinstance(module, nn.BatchNorm2d):
        raise ValueError("the network is folded already: deploy takes the network as it was trained")
    return module
