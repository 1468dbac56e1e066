"""What the tables share: the paper's recipes at every scale.

`mini` is the paper's recipe made smaller for two CPU cores, `bench` for one GPU on embedded data,
`paper` is the paper's own. A data set of the paper is stood in for by the embedded one: VeRi-776 and
In-Shop by the same images under two protocols, MSMT17 by images of 2:1 aspect.
"""

from dataclasses import dataclass

from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, Backbone, Batch, Data, Recipe, Schedule

RESNET101 = Backbone(block="bottleneck", blocks=(3, 4, 23, 3))
SMALL_RESNET = Backbone(
    block="bottleneck", blocks=(2, 2, 3, 2), planes=(16, 32, 64, 128), stem="small", embedding=128
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How one data set is trained at one scale."""

    data: Data
    backbone: Backbone
    batch: Batch
    schedule: Schedule
    augmentation: Augmentation
    pretraining: Schedule | None
    """Schedule of the run that stands in for ImageNet weights; None where there are such weights."""
    cdd: CapacityDynamic
    resetting: RetrievalGuided


def paper(name: str, epochs: int, height: int, width: int) -> Setting:
    """Section 4.2; the values that the text leaves open are those of the authors' release."""
    return Setting(
        data=Data(name=name, height=height, width=width),
        backbone=RESNET101,
        batch=Batch(),
        schedule=Schedule(epochs=epochs),
        augmentation=Augmentation(),
        pretraining=None,
        cdd=CapacityDynamic(),
        resetting=RetrievalGuided(),
    )


def shortened(epochs: int, peak_learning_rate: float) -> Schedule:
    """The paper's schedule in fewer epochs: 10 % warm-up, flat to 40 %, cosine by iteration to zero.

    The last steps must be small enough for rows to stay below the pruning threshold of 1e-5.
    """
    return Schedule(
        epochs=epochs,
        peak_learning_rate=peak_learning_rate,
        warmup_epochs=epochs / 10,
        flat_until_epoch=epochs * 2 / 5,
        final_learning_rate=0,
        step="iteration",
    )


def mini(data: Data) -> Setting:
    """Minutes on two CPU cores; sparsity, ratio and start of RGGR were chosen on validation identities."""
    return Setting(
        data=data,
        backbone=SMALL_RESNET,
        batch=Batch(identities=16, images=4),
        schedule=shortened(20, peak_learning_rate=0.03),
        augmentation=Augmentation(padding=2),
        pretraining=shortened(20, peak_learning_rate=0.05),
        cdd=CapacityDynamic(sparsity=0.05),
        resetting=RetrievalGuided(queue=2432, after_epoch=4, ratio=0.8),
    )


def bench(data: Data) -> Setting:
    """The paper's network on embedded data; one GPU."""
    return Setting(
        data=data,
        backbone=RESNET101,
        batch=Batch(identities=16, images=6),
        schedule=shortened(100, peak_learning_rate=0.01),
        augmentation=Augmentation(padding=4),
        pretraining=shortened(60, peak_learning_rate=0.05),
        cdd=CapacityDynamic(sparsity=0.03),
        resetting=RetrievalGuided(queue=4800, after_epoch=20),
    )


SQUARE = Data(name="household", height=32, width=32)
UPRIGHT = Data(name="household", height=48, width=24)
SETTINGS = {
    ("veri776", "mini"): mini(SQUARE),
    ("in-shop", "mini"): mini(SQUARE),
    ("msmt17", "mini"): mini(UPRIGHT),
    ("veri776", "bench"): bench(Data(name="household", height=64, width=64)),
    ("in-shop", "bench"): bench(Data(name="household", height=64, width=64)),
    ("msmt17", "bench"): bench(Data(name="household", height=96, width=48)),
    ("veri776", "paper"): paper("veri776", epochs=100, height=256, width=256),
    ("in-shop", "paper"): paper("in-shop", epochs=100, height=256, width=256),
    ("msmt17", "paper"): paper("msmt17", epochs=120, height=320, width=160),
}


def pretraining(setting: Setting, schedule: Schedule) -> Recipe:
    """The stand-in for ImageNet weights, from identities that serve nothing else; one for all seeds."""
    return Recipe(
        data=setting.data.model_copy(update={"use": "pretraining"}),
        student=setting.backbone,
        initialisation="random",
        method=Supervised(),
        batch=setting.batch,
        schedule=schedule,
        augmentation=setting.augmentation,
        evaluate_every=schedule.epochs,
    )


def teacher(dataset: str, scale: str, seed: int) -> Recipe:
    """The heavy network, trained from labels; each seed has its own."""
    setting = SETTINGS[dataset, scale]
    return Recipe(
        data=setting.data,
        student=setting.backbone,
        initialisation=pretraining(setting, setting.pretraining) if setting.pretraining else "imagenet",
        method=Supervised(),
        batch=setting.batch,
        schedule=setting.schedule,
        augmentation=setting.augmentation,
        seed=seed,
    )


def student(dataset: str, scale: str, seed: int, method: CapacityDynamic) -> Recipe:
    """A student as heavy as its teacher that starts where the teacher started."""
    from_teacher = teacher(dataset, scale, seed)
    return from_teacher.model_copy(
        update={"teacher": from_teacher, "compactors": method.target == "compactor", "method": method}
    )


def cdd_without_compactor(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD w/o DGC: distillation and lasso act on the same 3x3 convolutions (Section 4.3)."""
    method = SETTINGS[dataset, scale].cdd.model_copy(update={"target": "filter"})
    return student(dataset, scale, seed, method)


def cdd(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD: the student with compactors, lasso and task gradient in conflict."""
    return student(dataset, scale, seed, SETTINGS[dataset, scale].cdd)


def cdd_with_resetting(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR."""
    setting = SETTINGS[dataset, scale]
    return student(dataset, scale, seed, setting.cdd.model_copy(update={"resetting": setting.resetting}))
