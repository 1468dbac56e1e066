"""ImageNet weights of torchvision, for the backbones that have a name there."""

import hashlib
import re
from pathlib import Path

from torch import Tensor

from cdd.architecture import Network
from cdd.errors import DataError
from cdd.models.family import family_of
from cdd.models.fit import check_fit
from cdd.models.zoo import BACKBONES
from cdd.tensor_files import read_state
from cdd.torchvision_guard import install

VERSION = "IMAGENET1K_V1"
"""The weights of the paper's time, not the newer recipe's."""
FREE = ("embedding", "image")
"""What the weights of a backbone do not depend on: its neck and the size of the images."""
_HASHED_NAME = re.compile(r"-([0-9a-f]{8,})\.pth?$")


def imagenet_weights(backbone: Network, path: Path | None = None) -> dict[str, Tensor]:
    """The state dict of torchvision's `IMAGENET1K_V1` weights, without its classifier.

    Args:
        backbone: which network; it must have a name in torchvision.
        path: the file, or a folder with the file under its own name (`resnet101-63fe2227.pth`);
            torchvision downloads it, once, where this is not given.

    Raises:
        ValueError: for a backbone that torchvision does not have.
        DataError: where the weights cannot be downloaded, or the file is not theirs.
    """
    name = torchvision_name(backbone)
    stored = _downloaded(name) if path is None else _read(weights_file(path, name))
    weights = {key: value for key, value in stored.items() if not key.startswith(("fc.", "heads."))}
    weights = family_of(backbone).from_torchvision(weights, backbone)
    check_fit(weights, backbone, f"the ImageNet weights of {name}" if path is None else str(path))
    return weights


def torchvision_name(backbone: Network) -> str:
    """Torchvision's name of the network.

    Raises:
        ValueError: for one that it does not have.
    """
    for name, known in BACKBONES.items():
        if known.equals_but_for(backbone, *FREE):
            return name
    raise ValueError(
        f"there are no ImageNet weights for this backbone, only for {', '.join(BACKBONES)}: use "
        "initialisation=random or a pretraining recipe."
    )


def _downloaded(name: str) -> dict[str, Tensor]:
    install()
    from torchvision.models import get_model_weights  # noqa: PLC0415  (behind its guard)

    try:
        stored: dict[str, Tensor] = get_model_weights(name)[VERSION].get_state_dict(
            progress=False, check_hash=True
        )
    except OSError as error:
        raise DataError(
            f"torchvision could not download the ImageNet weights of {name}: {error}. Connect to the "
            f"internet once, or copy the file of torchvision's {VERSION} weights here and name it with "
            "--weights PATH."
        ) from error
    return stored


def weights_file(path: Path, name: str) -> Path:
    """The file of this network's weights: `path` itself, or the one below it.

    Raises:
        DataError: where there is none.
    """
    if path.is_file():
        return path
    found = sorted([*path.glob(f"{name}-*.pth"), *path.glob(f"{name}.pth")])
    if not found:
        raise DataError(
            f"--weights {path}: expected torchvision's file of {name}, or a folder that has it as "
            f"{name}-<hash>.pth or {name}.pth; found neither."
        )
    return found[0]


def _read(path: Path) -> dict[str, Tensor]:
    stored = read_state(path, "the weights of --weights", f"Give a file of torchvision's {VERSION} weights.")
    named = _HASHED_NAME.search(path.name)
    if named and not hashlib.sha256(path.read_bytes()).hexdigest().startswith(named[1]):
        raise DataError(f"{path} is damaged: its SHA-256 does not begin with {named[1]}. Copy it again.")
    return stored
