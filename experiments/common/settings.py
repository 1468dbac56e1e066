"""Training settings of each data set at each scale: networks, batches, schedules, the methods' settings.

`mini` is the paper's recipe made smaller for two CPU cores, `bench` for one GPU on embedded data,
`paper` is the paper's own. A data set of the paper is stood in for by the embedded one: VeRi-776 and
In-Shop by the same images under two protocols, MSMT17 by images of 2:1 aspect.
"""

from dataclasses import dataclass, replace

from cdd.architecture import Backbone, VisionTransformer
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided, WeightGuided
from cdd.methods.resrep import ResRep
from cdd.recipe import Augmentation, Batch, Data, Schedule


@dataclass(frozen=True, kw_only=True)
class Backbones:
    """The networks of one scale: the paper's ResNet-101, 50 and 34 and ViT-Base, or what stands for them."""

    heavy: Backbone
    medium: Backbone
    light: Backbone
    transformer: VisionTransformer


PAPER_BACKBONES = Backbones(
    heavy=Backbone(block="bottleneck", blocks=(3, 4, 23, 3)),
    medium=Backbone(block="bottleneck", blocks=(3, 4, 6, 3)),
    light=Backbone(block="basic", blocks=(3, 4, 6, 3)),
    transformer=VisionTransformer(),
)
BENCH_BACKBONES = replace(PAPER_BACKBONES, transformer=VisionTransformer(image=64, patch=8))
SMALL_BACKBONES = Backbones(
    heavy=Backbone(
        block="bottleneck", blocks=(2, 2, 3, 2), planes=(16, 32, 64, 128), stem="small", embedding=128
    ),
    # 57 % of the heavy network's parameters and 61 % of its multiply-adds; ResNet-50 has 56 % and 63 %.
    medium=Backbone(
        block="bottleneck", blocks=(2, 1, 1, 1), planes=(16, 32, 64, 128), stem="small", embedding=128
    ),
    # 50 % and 56 %, as ResNet-34.
    light=Backbone(block="basic", blocks=(1, 2, 3, 1), planes=(18, 36, 72, 108), stem="small", embedding=128),
    transformer=VisionTransformer(image=32, patch=8, layers=4, heads=4, width=128, hidden=512, embedding=128),
)


RESREP_THRESHOLD = 1e-3
"""Below the paper's scale. Rows with momentum 0.99 swing about zero for a hundred steps after the last
learning rate that moved them, and short schedules end before: between 3e-4 and 1e-2 there is then no row."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How one data set is trained at one scale."""

    data: Data
    backbones: Backbones
    batch: Batch
    schedule: Schedule
    augmentation: Augmentation
    pretraining: Schedule | None
    """Schedule of the run that stands in for ImageNet weights; None where there are such weights."""
    cdd: CapacityDynamic
    resetting: RetrievalGuided
    weight_guided: WeightGuided
    resrep: ResRep
    """Its target is a row's own."""


def paper(name: str, epochs: int, height: int, width: int) -> Setting:
    """Section 4.2; the values that the text leaves open are those of the authors' release."""
    return Setting(
        data=Data(name=name, height=height, width=width),
        backbones=PAPER_BACKBONES,
        batch=Batch(),
        schedule=Schedule(epochs=epochs),
        augmentation=Augmentation(),
        pretraining=None,
        cdd=CapacityDynamic(),
        resetting=RetrievalGuided(),
        weight_guided=WeightGuided(growth=260),
        resrep=ResRep(growth=200),
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
        backbones=SMALL_BACKBONES,
        batch=Batch(identities=16, images=4),
        schedule=shortened(20, peak_learning_rate=0.03),
        augmentation=Augmentation(padding=2),
        pretraining=shortened(20, peak_learning_rate=0.05),
        cdd=CapacityDynamic(sparsity=0.05),
        resetting=RetrievalGuided(queue=2432, after_epoch=4, ratio=0.8),
        weight_guided=WeightGuided(target=0.55, after_epoch=4, interval=10, growth=20),
        resrep=ResRep(sparsity=0.00125, after_epoch=1, interval=10, growth=15, threshold=RESREP_THRESHOLD),
    )


def bench(data: Data) -> Setting:
    """The paper's network on embedded data; one GPU."""
    return Setting(
        data=data,
        backbones=BENCH_BACKBONES,
        batch=Batch(identities=16, images=6),
        schedule=shortened(100, peak_learning_rate=0.01),
        augmentation=Augmentation(padding=4),
        pretraining=shortened(60, peak_learning_rate=0.05),
        cdd=CapacityDynamic(sparsity=0.03),
        resetting=RetrievalGuided(queue=4800, after_epoch=20),
        weight_guided=WeightGuided(after_epoch=20, interval=50, growth=400),
        resrep=ResRep(sparsity=0.00075, after_epoch=5, interval=50, growth=270, threshold=RESREP_THRESHOLD),
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
