"""The deployed network: its file, its embedder and its classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from cdd.architecture import Network
from cdd.errors import DataError
from cdd.files import first_problem
from cdd.models.maps import Images
from cdd.models.network import RetrievalNetwork
from cdd.models.resnet import EXPANSION
from cdd.tensor_files import check_state, read_tensors, some, write_tensors
from cdd.values import Channels, Count

AGAIN = "Delete the file, so that it is fetched from the tracking store, or train its run again."
"""Remedy for a deployed network that cannot be read."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    backbone: Network
    identities: Count
    channels: list[Channels]
    state: dict[str, Tensor]


class Embedder(nn.Module):
    """Embeddings of images: a network's backbone, pooling and neck, in evaluation mode."""

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
    """Logits of images: a network for small images, in evaluation mode."""

    def __init__(self, network: RetrievalNetwork):
        super().__init__()
        self.embedder, self.classifier = Embedder(network), network.classifier
        self.eval()

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Logits of normalised images."""
        logits: Tensor = self.classifier(self.embedder(images))
        return logits


def channels_of(network: RetrievalNetwork) -> list[int]:
    """Channels that leave the 3x3 convolution of every bottleneck.

    Two counts per bottleneck, of its first and its 3x3 convolution, where a first one is pruned as well.
    """
    inner = [block.conv2.out_channels for block in network.bottlenecks]
    entries = [block.conv1.out_channels for block in network.bottlenecks]
    planes = [block.conv3.out_channels // EXPANSION["bottleneck"] for block in network.bottlenecks]
    if entries == planes:
        return inner
    return [width for pair in zip(entries, inner, strict=True) for width in pair]


def save_deployed(network: RetrievalNetwork, backbone: Network, path: Path) -> None:
    """Writes a folded network with the settings to rebuild it; plain tensors and numbers only."""
    values = {
        "backbone": backbone.model_dump(mode="json"),
        "identities": network.classifier.out_features,
        "channels": channels_of(network),
        "state": network.state_dict(),
    }
    write_tensors(path, values)


def load_deployed_network(path: Path, backbone: Network | None = None) -> RetrievalNetwork:
    """The folded network that `save_deployed` wrote, classifier included; of this backbone, if one is given.

    Raises:
        DataError: naming the file if it is damaged, or something else.
    """
    stored = _checked(read_tensors(path, "the network", AGAIN), path)
    if backbone is not None and stored.backbone != backbone:
        raise DataError(f"{path} is the deployed network of another run. {AGAIN}")
    check_state(stored.state, path, "the network", AGAIN)
    with torch.device("meta"):
        expected = _shapes(_built(stored, path).state_dict())
    found = _shapes(stored.state)
    if found != expected:
        differing = [name for name, _ in sorted({*found.items()} ^ {*expected.items()})]
        raise DataError(
            f"{path} is damaged: its weights do not fit the network that it says it is, in "
            f"{some([*dict.fromkeys(differing)])}. {AGAIN}"
        )
    network = _built(stored, path)
    network.load_state_dict(stored.state)
    return network


def _checked(stored: Any, path: Path) -> _Stored:
    if isinstance(stored, dict) and stored and all(isinstance(value, Tensor) for value in stored.values()):
        raise DataError(
            f"{path} holds a state dict, not a deployed network: name the file deployed.pt that the run left "
            "beside its weights.pt."
        )
    try:
        return _Stored.model_validate(stored)
    except (ValidationError, RecursionError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else "nested too deeply"
        raise DataError(
            f"{path} is no deployed network ({problem}): name a file deployed.pt that a run left."
        ) from error


def _built(stored: _Stored, path: Path) -> RetrievalNetwork:
    channels = stored.channels or None
    try:
        return RetrievalNetwork(stored.backbone, stored.identities, channels=channels, folded=True)
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. {AGAIN}") from error


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def load_deployed(path: Path) -> Embedder | Classifier:
    """Embedder or classifier for applications, from the file that `save_deployed` wrote.

    Raises:
        DataError: naming the file if it is damaged, or something else.
    """
    network = load_deployed_network(path)
    return Classifier(network) if network.settings.embedding is None else Embedder(network)
