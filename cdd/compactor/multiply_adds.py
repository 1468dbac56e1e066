"""Multiply-adds of a network by the numbers of channels that its compactors keep."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from cdd.compactor.insert import compactors
from cdd.contract import RetrievalOutput
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import EXPANSION, ResNet


class MultiplyAdds:
    """Multiply-adds of a network's convolutions and linear layers by the channels that its compactors keep.

    Bias additions and activations, which the tables count as well, are left out, as in the release.

    Attributes:
        full: channels of all compactors, none pruned.
    """

    def __init__(self, network: RetrievalNetwork, sizes: list[int]):
        """Reads the shapes.

        Args:
            network: with compactors behind the 3x3 convolution of every bottleneck or behind both.
            sizes: height times width of the map that leaves each stage.
        """
        blocks = network.bottlenecks
        self.full = np.array([len(compactor.weight) for compactor in compactors(network)])
        self.both = len(self.full) == 2 * len(blocks)
        self.planes = np.array([block.conv1.out_channels for block in blocks])
        self.inputs = np.array([block.conv1.in_channels for block in blocks])
        backbone = network.backbone
        if not isinstance(backbone, ResNet):
            raise ValueError("only a ResNet, whose blocks are known, has compactors")
        after = [size for stage, size in zip(backbone.stages, sizes, strict=True) for _ in stage]
        self.after, self.before = np.array(after), np.array([after[0], *after[:-1]])
        shortcuts = [block.downsample for block in blocks]
        self.fixed = _outside(network, backbone, sizes[0]) + sum(
            next(shortcut.parameters()).numel() * size
            for shortcut, size in zip(shortcuts, after, strict=True)
            if shortcut is not None
        )

    def __call__(self, kept: NDArray[np.int64]) -> float:
        """Multiply-adds of one image; `kept` has one count per compactor."""
        entry, inner = (kept[::2], kept[1::2]) if self.both else (self.planes, kept)
        outputs = EXPANSION["bottleneck"] * self.planes
        per_block = self.inputs * entry * self.before + (9 * entry + outputs) * inner * self.after
        return float(per_block.sum()) + self.fixed


def _outside(network: RetrievalNetwork, backbone: ResNet, size: int) -> float:
    """Multiply-adds of stem, neck and classifier."""
    linear = sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
    pooled = 4 if isinstance(backbone.maxpool, nn.MaxPool2d) else 1
    return float(linear + backbone.conv1.weight.numel() * size * pooled)


class CostsOfStudent:
    """Multiply-adds of a student, once the sizes of its maps are known from its first batch.

    Attributes:
        known: None until then.
    """

    def __init__(self, student: RetrievalNetwork):
        self._student = student
        self.known: MultiplyAdds | None = None

    def see(self, output: RetrievalOutput) -> None:
        """Records the sizes of the stages' maps from the first batch's output.

        Raises:
            ValueError: for an output without them.
        """
        if self.known is None:
            if not output.stages:
                raise ValueError("the sizes of the maps must be known: call the student with mapped=True")
            self.known = MultiplyAdds(
                self._student, [stage.shape[2] * stage.shape[3] for stage in output.stages]
            )

    def __call__(self, kept: NDArray[np.int64]) -> float:
        """Multiply-adds of one image.

        Raises:
            ValueError: before the first batch.
        """
        if self.known is None:
            raise ValueError("no batch has been seen yet, so the sizes of the maps are not known")
        return self.known(kept)
