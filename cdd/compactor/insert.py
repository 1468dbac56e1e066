"""Puts compactors into a network."""

from cdd.compactor.layer import Compactor
from cdd.models.network import RetrievalNetwork


def insert_compactors(network: RetrievalNetwork) -> None:
    """Puts an identity compactor behind the 3x3 convolution and batch norm of every bottleneck.

    The network's outputs stay the same.

    Source: Section 3.1.1; the place between batch norm and ReLU is the authors' release's.
    """
    for block in network.bottlenecks:
        block.compactor = Compactor(block.conv2.out_channels).to(block.conv2.weight.device)
