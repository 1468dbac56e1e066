"""The deployed network on disk and in use."""

from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import TypeAdapter
from torch import Tensor, nn

from cdd.architecture import Backbone, Network
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import Images, full_channels
from cdd.models.small.staged import StagedBackbone


class Embedder(nn.Module):
    """Images in, embeddings out: a network's backbone, pooling and neck, in evaluation mode."""

    def __init__(self, network: RetrievalNetwork):
        super().__init__()
        self.backbone, self.pooling, self.neck = network.backbone, network.pooling, network.neck
        self.eval()

    def forward(self, images: Images) -> Float[Tensor, "batch embedding"]:
        """The un-normalised embedding of normalised images."""
        features = self.backbone(images).stages[-1]
        embedding: Tensor = self.neck(self.pooling(features).flatten(1))
        return embedding


class Classifier(nn.Module):
    """Images in, logits out: a network for small images, in evaluation mode."""

    def __init__(self, network: RetrievalNetwork):
        super().__init__()
        self.embedder, self.classifier = Embedder(network), network.classifier
        self.eval()

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Logits of normalised images."""
        logits: Tensor = self.classifier(self.embedder(images))
        return logits


def channels_of(network: RetrievalNetwork, backbone: Network) -> list[int]:
    """Channels that leave the 3x3 convolution of every bottleneck.

    Two counts per bottleneck, of its first and its 3x3 convolution, where a first one is pruned as well.
    """
    inner = [block.conv2.out_channels for block in network.bottlenecks]
    entries = [block.conv1.out_channels for block in network.bottlenecks]
    if not isinstance(backbone, Backbone) or entries == full_channels(backbone):
        return inner
    return [width for pair in zip(entries, inner, strict=True) for width in pair]


def save_deployed(network: RetrievalNetwork, backbone: Network, path: Path) -> None:
    """Writes a folded network with what is needed to build it again; plain tensors and numbers only."""
    torch.save(
        {
            "backbone": backbone.model_dump(mode="json"),
            "identities": network.classifier.out_features,
            "channels": channels_of(network, backbone),
            "state": network.state_dict(),
        },
        path,
    )


def load_deployed_network(path: Path) -> RetrievalNetwork:
    """The folded network that `save_deployed` wrote, classifier included."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network = RetrievalNetwork(
        TypeAdapter(Network).validate_python(stored["backbone"]),
        stored["identities"],
        channels=stored["channels"] or None,
        folded=True,
    )
    network.load_state_dict(stored["state"])
    return network


def load_deployed(path: Path) -> Embedder | Classifier:
    """What an application calls, from the file that `save_deployed` wrote."""
    network = load_deployed_network(path)
    return Classifier(network) if isinstance(network.backbone, StagedBackbone) else Embedder(network)
