"""ImageNet weights from torchvision, for the backbones that have a name there."""

from torch import Tensor

from cdd.errors import DataError
from cdd.models.zoo import BACKBONES
from cdd.recipe import Backbone
from cdd.torchvision_guard import install


def imagenet_weights(backbone: Backbone) -> dict[str, Tensor]:
    """The state dict of torchvision's `IMAGENET1K_V1` weights, without its classifier.

    Raises:
        ValueError: for a backbone that torchvision does not have.
        DataError: where the weights cannot be downloaded.
    """
    names = [name for name, known in BACKBONES.items() if known == backbone]
    if not names:
        raise ValueError(
            f"there are no ImageNet weights for this backbone, only for {', '.join(BACKBONES)}: use "
            "initialisation=random or a pretraining recipe."
        )
    install()
    from torchvision.models import get_model_weights

    try:
        weights = get_model_weights(names[0])["IMAGENET1K_V1"].get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        raise DataError(
            f"torchvision could not download the ImageNet weights of {names[0]}: {error}. Connect to the "
            "internet once, or put the file into torch's cache folder (torch.hub.get_dir()/checkpoints)."
        ) from error
    return {name: value for name, value in weights.items() if not name.startswith("fc.")}
