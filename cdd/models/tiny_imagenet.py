"""Weights of small backbones, trained on Tiny ImageNet, that are part of the package."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load
from torch import Tensor

from cdd.architecture import Network
from cdd.errors import DataError
from cdd.models.fit import check_fit

SHIPPED = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Card:
    """Description of weights that are part of the package.

    Attributes:
        path: the file with the weights.
        network: which network they fit, whatever the size of its embedding.
        sha256: of the file.
        facts: everything that the card says: data, recipe, epochs, top-1.
    """

    path: Path
    network: Network
    sha256: str
    facts: Mapping[str, Any]

    def fits(self, network: Network) -> bool:
        """Whether a backbone of this network can start from them; its neck does not matter for that."""
        return network.equals_but_for(self.network, "embedding")


def cards(folder: Path | None = None) -> dict[str, Card]:
    """The available weights, by name; those of the package if no folder is given."""
    found = {}
    for path in sorted((folder or SHIPPED).glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        network: Network = TypeAdapter(Network).validate_python(facts["network"])
        weights = path.with_suffix(".safetensors")
        found[path.stem] = Card(weights, network, facts["sha256"], facts)
    return found


def tiny_imagenet_weights(network: Network, folder: Path | None = None) -> dict[str, Tensor]:
    """The state dict of this network's backbone, trained to tell the classes of Tiny ImageNet; float32.

    Args:
        network: must be one of those whose weights are shipped; the size of the embedding is free.
        folder: where the weights and their cards are; the package's own where not given.

    Raises:
        DataError: for a network without weights, or a file that is missing or damaged.
    """
    known = cards(folder)
    card = next((card for card in known.values() if card.fits(network)), None)
    if card is None:
        there = "; ".join(f"{name}: {card.network!r}" for name, card in known.items()) or "none so far"
        raise DataError(
            f"no weights from Tiny ImageNet are shipped for {network!r}. There are ({there}). Choose one of "
            "these networks, or initialisation=random or a pretraining recipe."
        )
    stored = load(_content(card))
    weights = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
    check_fit(weights, network, str(card.path))
    return weights


def _content(card: Card) -> bytes:
    if not card.path.is_file():
        raise DataError(f"{card.path} is missing, but its card is there: install the package again")
    content = card.path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise DataError(
            f"{card.path} is damaged or is another file: its SHA-256 is {found}, but its card says "
            f"{card.sha256}. Install the package again."
        )
    return content
