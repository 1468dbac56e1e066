"""The networks that can be trained, by name, and how each of them is."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from cdd.architecture import Backbone, VisionTransformer
from cdd.contract import Settings
from cdd.recipe import Augmentation, Schedule
from cdd.values import Count, Fraction, NonNegative

MINI_PLANES = (24, 48, 96, 160)

NETWORKS: Mapping[str, Backbone | VisionTransformer] = {
    "mini-heavy": Backbone(
        block="bottleneck", blocks=(1, 1, 5, 2), planes=MINI_PLANES, stem="small", embedding=128
    ),
    # 56 % of the heavy network's parameters and 63 % of its multiply-adds, as ResNet-50 of ResNet-101.
    "mini-medium": Backbone(
        block="bottleneck", blocks=(1, 1, 2, 1), planes=MINI_PLANES, stem="small", embedding=128
    ),
    # 50 % and 53 %; ResNet-34 has 50 % and 56 %, and about as many 3x3 convolutions as the heavy network.
    "mini-light": Backbone(
        block="basic", blocks=(1, 1, 1, 2), planes=MINI_PLANES, stem="small", embedding=128
    ),
    "mini-transformer": VisionTransformer(
        image=32, patch=8, layers=4, heads=3, width=192, hidden=768, embedding=128
    ),
}


class Pretraining(Settings):
    """How a backbone is trained on classes, by labels alone."""

    optimiser: Literal["sgd", "adamw"] = "sgd"
    """`sgd`: Nesterov momentum 0.9, weight decay on everything; `adamw`: weight decay on matrices."""
    schedule: Schedule
    weight_decay: NonNegative = 1e-4
    label_smoothing: Fraction = 0.1
    largest_gradient: float | None = None
    """Norm to which the gradient is cut."""
    batch: Count = 128
    augmentation: Augmentation = Augmentation(padding=4, erasing=0)
    seed: int = Field(default=0, ge=0)


def pretraining(network: Backbone | VisionTransformer, epochs: int, seed: int) -> Pretraining:
    """The recipe of a network's kind: SGD for a ResNet, AdamW and erased boxes for a transformer."""
    if isinstance(network, VisionTransformer):
        return Pretraining(
            optimiser="adamw",
            schedule=_cosine(epochs, peak=1e-3, warmup_epochs=min(5.0, epochs / 4)),
            weight_decay=0.05,
            largest_gradient=1.0,
            augmentation=Augmentation(padding=4, erasing=0.25),
            seed=seed,
        )
    return Pretraining(schedule=_cosine(epochs, peak=0.1, warmup_epochs=min(1.0, epochs / 4)), seed=seed)


def _cosine(epochs: int, peak: float, warmup_epochs: float) -> Schedule:
    return Schedule(
        epochs=epochs,
        peak_learning_rate=peak,
        warmup_epochs=warmup_epochs,
        flat_until_epoch=warmup_epochs,
        final_learning_rate=0,
        step="iteration",
    )
