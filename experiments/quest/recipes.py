"""The runs of QuEST: image classification, a network alone or with a teacher's visual words.

`paper` is the supplement's Section C on CIFAR; `mini` and `bench` classify the embedded data's training
identities, `mini` at 16x16 pixels with smaller networks of the same families.
"""

from dataclasses import dataclass

from cdd.architecture import SmallNetwork
from cdd.contract import Fidelity
from cdd.methods.quest.quest import QuEST
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, Data, Objective, RandomBatch, Recipe, Schedule
from experiments.schema.scale import Scale


def small(family: str, depth: int | None = None, width: float = 1.0) -> SmallNetwork:
    """A network for small images, in one line."""
    return SmallNetwork.model_validate({"family": family, "depth": depth, "width": width})


PAPER_NETWORKS = {
    "WRN-40-2": small("wide-resnet", 40, 2),
    "WRN-16-2": small("wide-resnet", 16, 2),
    "WRN-40-1": small("wide-resnet", 40, 1),
    "WRN-16-1": small("wide-resnet", 16, 1),
    "ResNet110": small("resnet", 110),
    "ResNet56": small("resnet", 56),
    "ResNet32": small("resnet", 32),
    "ResNet20": small("resnet", 20),
    "ResNet32x4": small("resnet", 32, 4),
    "ResNet8x4": small("resnet", 8, 4),
    "VGG13": small("vgg", 13),
    "VGG8": small("vgg", 8),
    "ResNet50": small("bottleneck-resnet", 50),
    "MobileNetV2": small("mobilenet-v2", width=0.5),
    "ShuffleNetV1": small("shufflenet-v1"),
    "ShuffleNetV2": small("shufflenet-v2"),
}
MINI_NETWORKS = {
    "WRN-40-2": small("wide-resnet", 16, 1),
    "WRN-16-2": small("wide-resnet", 10, 0.75),
    "WRN-40-1": small("wide-resnet", 16, 0.5),
    "WRN-16-1": small("wide-resnet", 10, 0.5),
    "ResNet110": small("resnet", 26),
    "ResNet56": small("resnet", 20),
    "ResNet32": small("resnet", 14),
    "ResNet20": small("resnet", 8),
    "ResNet32x4": small("resnet", 14, 2),
    "ResNet8x4": small("resnet", 8, 2),
    "VGG13": small("vgg", 13, 0.375),
    "VGG8": small("vgg", 8, 0.25),
    "ResNet50": small("bottleneck-resnet", 50, 0.25),
    "MobileNetV2": small("mobilenet-v2", width=0.25),
    "ShuffleNetV1": small("shufflenet-v1", width=0.25),
    "ShuffleNetV2": small("shufflenet-v2", width=0.25),
}
SLOWLY_TRAINED = {"MobileNetV2", "ShuffleNetV1", "ShuffleNetV2"}
"""Their rate begins lower (Section C.1)."""
CLASSIFICATION = Objective(label_smoothing=0, triplet_weight=0, logit_weight=0)
AS_TEXT = Fidelity(teacher_batch_norm="running", neck_learning_rate_factor=1.0)
"""One learning rate for all layers, and a teacher in evaluation mode."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How one data set is classified at one scale.

    Attributes:
        slow_rate: learning rate at the start of the mobile networks.
    """

    data: Data
    networks: dict[str, SmallNetwork]
    batch: RandomBatch
    schedule: Schedule
    slow_rate: float
    augmentation: Augmentation
    quest: QuEST


def steps(epochs: int, rate: float, milestones: tuple[float, ...], decay: float) -> Schedule:
    """A rate that falls in steps, at these shares of all epochs."""
    return Schedule(
        epochs=epochs,
        peak_learning_rate=rate,
        warmup_epochs=0,
        flat_until_epoch=0,
        milestones=tuple(share * epochs for share in milestones),
        decay=decay,
    )


CIFAR_100_STEPS, CIFAR_10_STEPS = (150 / 240, 180 / 240, 210 / 240), (60 / 200, 120 / 200, 160 / 200)
EMBEDDED_WORDS = QuEST(words=256)
"""At the embedded scales: the temperature follows from the certainty that the supplement reports."""


def embedded(pixels: int, networks: dict[str, SmallNetwork], epochs: int) -> Setting:
    """The embedded data's training identities as classes."""
    return Setting(
        data=Data(name="household", height=pixels, width=pixels, use="classification"),
        networks=networks,
        batch=RandomBatch(size=64),
        schedule=steps(epochs, 0.05, CIFAR_100_STEPS, 0.1),
        slow_rate=0.02,
        augmentation=Augmentation(padding=pixels // 8, erasing=0),
        quest=EMBEDDED_WORDS,
    )


SMALL_IMAGES = Augmentation(padding=4, erasing=0)
CLASSIFIED = {
    ("cifar100", "paper"): Setting(
        data=Data(name="cifar100", height=32, width=32, use="classification"),
        networks=PAPER_NETWORKS,
        batch=RandomBatch(size=64),
        schedule=steps(240, 0.05, CIFAR_100_STEPS, 0.1),
        slow_rate=0.01,
        augmentation=SMALL_IMAGES,
        quest=QuEST(words=4096, temperature=0.2),
    ),
    ("cifar10", "paper"): Setting(
        data=Data(name="cifar10", height=32, width=32, use="classification"),
        networks=PAPER_NETWORKS,
        batch=RandomBatch(size=128),
        schedule=steps(200, 0.1, CIFAR_10_STEPS, 0.2),
        slow_rate=0.1,
        augmentation=SMALL_IMAGES,
        quest=QuEST(words=256, temperature=0.005),
    ),
    **{
        (name, scale): setting
        for name in ("cifar100", "cifar10")
        for scale, setting in (
            ("mini", embedded(16, MINI_NETWORKS, 15)),
            ("bench", embedded(32, PAPER_NETWORKS, 100)),
        )
    },
}


def classifier(name: str, dataset: str, scale: Scale, seed: int) -> Recipe:
    """A network trained from labels."""
    setting = CLASSIFIED[dataset, scale]
    schedule = setting.schedule
    if name in SLOWLY_TRAINED:
        schedule = schedule.model_copy(update={"peak_learning_rate": setting.slow_rate})
    return Recipe(
        data=setting.data,
        student=setting.networks[name],
        initialisation="random",
        method=Supervised(),
        objective=CLASSIFICATION,
        batch=setting.batch,
        schedule=schedule,
        augmentation=setting.augmentation,
        evaluate_every=5,
        fidelity=AS_TEXT,
        seed=seed,
    )


def quest(teacher: str, student: str, dataset: str, scale: Scale, seed: int) -> Recipe:
    """A network that learns from labels and from its teacher's visual words."""
    return quest_with_words(None, teacher, student, dataset, scale, seed)


def quest_with_words(
    words: int | None, teacher: str, student: str, dataset: str, scale: Scale, seed: int
) -> Recipe:
    """The same with another size of the vocabulary, K."""
    method = CLASSIFIED[dataset, scale].quest
    return classifier(student, dataset, scale, seed).model_copy(
        update={
            "teacher": classifier(teacher, dataset, scale, seed),
            "method": method if words is None else method.model_copy(update={"words": words}),
        }
    )
