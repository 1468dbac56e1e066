"""Insertion of compactors into a network."""

from cdd.compactor.layer import Compactor
from cdd.models.network import RetrievalNetwork


def insert_compactors(network: RetrievalNetwork, *, both: bool = False) -> None:
    """Inserts an identity compactor behind the 3x3 convolution and batch norm of every bottleneck.

    The network's outputs stay the same.

    Args:
        network: is changed in place.
        both: puts one behind the first 1x1 convolution of the bottleneck as well.

    Source: Section 3.1.1; the place between batch norm and ReLU is the authors' release's. `both`: the
        release of Ding et al., "ResRep", ICCV 2021.
    """
    for block in network.bottlenecks:
        block.compactor = Compactor(block.conv2.out_channels).to(block.conv2.weight.device)
        if both:
            block.entry_compactor = Compactor(block.conv1.out_channels).to(block.conv1.weight.device)


def compactors(network: RetrievalNetwork) -> list[Compactor]:
    """All compactors in the order of the network: one or two per bottleneck."""
    return [
        layer
        for block in network.bottlenecks
        for layer in (block.entry_compactor, block.compactor)
        if isinstance(layer, Compactor)
    ]
