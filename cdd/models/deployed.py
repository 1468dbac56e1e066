"""The deployed network on disk and in use."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import Images
from cdd.recipe import Backbone


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


def channels_of(network: RetrievalNetwork) -> list[int]:
    """Channels that leave the 3x3 convolution of every bottleneck."""
    return [block.conv2.out_channels for block in network.bottlenecks]


def save_deployed(network: RetrievalNetwork, backbone: Backbone, path: Path) -> None:
    """Writes a folded network with what is needed to build it again; plain tensors and numbers only."""
    torch.save(
        {
            "backbone": backbone.model_dump(mode="json"),
            "identities": network.classifier.out_features,
            "channels": channels_of(network),
            "state": network.state_dict(),
        },
        path,
    )


def load_deployed_network(path: Path) -> RetrievalNetwork:
    """The folded network that `save_deployed` wrote, classifier included."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    network = RetrievalNetwork(
        Backbone.model_validate(stored["backbone"]),
        stored["identities"],
        channels=stored["channels"] or None,
        folded=True,
    )
    network.load_state_dict(stored["state"])
    return network


def load_deployed(path: Path) -> Embedder:
    """What an application calls, from the file that `save_deployed` wrote."""
    return Embedder(load_deployed_network(path))
