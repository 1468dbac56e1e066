"""What the tables share: the paper's recipes at every scale.

`mini` is the paper's recipe made smaller for two CPU cores, `bench` for one GPU on embedded data,
`paper` is the paper's own. A data set of the paper is stood in for by the embedded one: VeRi-776 and
In-Shop by the same images under two protocols, MSMT17 by images of 2:1 aspect.
"""

from dataclasses import dataclass, replace

from cdd.contract import Fidelity, Method
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided, WeightGuided
from cdd.methods.knowledge_distillation import KD
from cdd.methods.resrep import ResRep
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, Backbone, Batch, Data, Network, Recipe, Schedule, VisionTransformer


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


def pretraining(setting: Setting, network: Network, schedule: Schedule) -> Recipe:
    """The stand-in for ImageNet weights, from identities that serve nothing else; one for all seeds."""
    return Recipe(
        data=setting.data.model_copy(update={"use": "pretraining"}),
        student=network,
        initialisation="random",
        method=Supervised(),
        batch=setting.batch,
        schedule=schedule,
        augmentation=setting.augmentation,
        evaluate_every=schedule.epochs,
    )


def supervised(dataset: str, scale: str, seed: int, network: Network) -> Recipe:
    """A network trained from labels."""
    setting = SETTINGS[dataset, scale]
    schedule = setting.pretraining
    data = setting.data
    if isinstance(network, VisionTransformer):
        data = data.model_copy(update={"height": network.image, "width": network.image})
        setting = replace(setting, data=data)
    return Recipe(
        data=data,
        student=network,
        initialisation=pretraining(setting, network, schedule) if schedule else "imagenet",
        method=Supervised(),
        batch=setting.batch,
        schedule=setting.schedule,
        augmentation=setting.augmentation,
        seed=seed,
    )


def teacher(dataset: str, scale: str, seed: int) -> Recipe:
    """The heavy network, trained from labels; each seed has its own."""
    return supervised(dataset, scale, seed, SETTINGS[dataset, scale].backbones.heavy)


def medium_teacher(dataset: str, scale: str, seed: int) -> Recipe:
    """The paper's ResNet-50, trained from labels."""
    return supervised(dataset, scale, seed, SETTINGS[dataset, scale].backbones.medium)


def transformer(dataset: str, scale: str, seed: int) -> Recipe:
    """ViT-Base, trained from labels."""
    return supervised(dataset, scale, seed, SETTINGS[dataset, scale].backbones.transformer)


def light_student(method: Method, dataset: str, scale: str, seed: int) -> Recipe:
    """A light student that learns from the heavy teacher by the method, and by the logits as every row.

    The teacher's batch norms use their running statistics, as in the methods' own releases.
    """
    start = supervised(dataset, scale, seed, SETTINGS[dataset, scale].backbones.light)
    fidelity = Fidelity(teacher_batch_norm="running")
    return start.model_copy(
        update={"teacher": teacher(dataset, scale, seed), "method": method, "fidelity": fidelity}
    )


def compressed(from_teacher: Recipe, method: CapacityDynamic) -> Recipe:
    """A student as heavy as its teacher that starts where the teacher started."""
    return from_teacher.model_copy(
        update={"teacher": from_teacher, "compactors": method.target == "compactor", "method": method}
    )


def cdd_without_compactor(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD w/o DGC: distillation and lasso act on the same 3x3 convolutions (Section 4.3)."""
    method = SETTINGS[dataset, scale].cdd.model_copy(update={"target": "filter"})
    return compressed(teacher(dataset, scale, seed), method)


def cdd(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD: the student with compactors, lasso and task gradient in conflict."""
    return compressed(teacher(dataset, scale, seed), SETTINGS[dataset, scale].cdd)


def cdd_with_resetting(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR."""
    return compressed(teacher(dataset, scale, seed), _guided(dataset, scale))


def cdd_with_ratio(ratio: float, dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR with another share of channels in a list: p in Eq. 9."""
    return _varied({"ratio": ratio}, dataset, scale, seed)


def cdd_with_neighbours(neighbours: int, dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR with another number of retrieved images: K in Eq. 7."""
    return _varied({"neighbours": neighbours}, dataset, scale, seed)


def cdd_with_penalty(alpha: float, dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR with another weight of the lasso, alpha in Eq. 3; below the paper's scale in proportion."""
    method = _guided(dataset, scale)
    factor = alpha / SETTINGS[dataset, "paper"].cdd.sparsity
    changed = method.model_copy(update={"sparsity": method.sparsity * factor})
    return compressed(teacher(dataset, scale, seed), changed)


def _varied(changes: dict[str, object], dataset: str, scale: str, seed: int) -> Recipe:
    setting = SETTINGS[dataset, scale]
    resetting = setting.resetting.model_copy(update=changes)
    method = setting.cdd.model_copy(update={"resetting": resetting})
    return compressed(teacher(dataset, scale, seed), method)


def cdd_with_standard_retrieval(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR whose queries are the student's features (supplement, Section 1.1)."""
    return _varied({"query": "student"}, dataset, scale, seed)


def cdd_with_weight_guided_resetting(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + CWGR: the smallest rows are reset (supplement, Section 1.2)."""
    setting = SETTINGS[dataset, scale]
    method = setting.cdd.model_copy(update={"resetting": setting.weight_guided})
    return compressed(teacher(dataset, scale, seed), method)


def medium_cdd_with_resetting(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR with ResNet-50 as teacher and student."""
    return compressed(medium_teacher(dataset, scale, seed), _guided(dataset, scale))


def _guided(dataset: str, scale: str) -> CapacityDynamic:
    setting = SETTINGS[dataset, scale]
    return setting.cdd.model_copy(update={"resetting": setting.resetting})


def resrep(target: float, dataset: str, scale: str, seed: int) -> Recipe:
    """ResRep on the trained heavy network; `target` is the share of multiply-adds to be left."""
    return _pruned(teacher(dataset, scale, seed), target, SETTINGS[dataset, scale].resrep)


def medium_resrep(target: float, dataset: str, scale: str, seed: int) -> Recipe:
    """ResRep on the trained ResNet-50."""
    return _pruned(medium_teacher(dataset, scale, seed), target, SETTINGS[dataset, scale].resrep)


def self_distilled(dataset: str, scale: str, seed: int) -> Recipe:
    """The first of two stages: a heavy student learns from its twin by Eq. 3 without the lasso."""
    method = SETTINGS[dataset, scale].cdd.model_copy(update={"target": "filter", "sparsity": 0.0})
    return compressed(teacher(dataset, scale, seed), method)


def self_distilled_resrep(target: float, dataset: str, scale: str, seed: int) -> Recipe:
    """The second stage: ResRep on the self-distilled student."""
    return _pruned(self_distilled(dataset, scale, seed), target, SETTINGS[dataset, scale].resrep)


def fine_tuned(target: float, dataset: str, scale: str, seed: int) -> Recipe:
    """The end of the second stage: the slim network trained a little longer, by labels and logits."""
    base = self_distilled_resrep(target, dataset, scale, seed)
    from_teacher = teacher(dataset, scale, seed)
    peak = base.schedule.peak_learning_rate / 10
    epochs = round(base.schedule.epochs / 6)
    schedule = Schedule(
        epochs=epochs,
        peak_learning_rate=peak,
        warmup_epochs=0,
        flat_until_epoch=0,
        final_learning_rate=0,
        step="iteration",
    )
    return base.model_copy(
        update={"initialisation": base, "teacher": from_teacher, "compactors": False}
        | {"method": KD(), "schedule": schedule}
    )


def _pruned(base: Recipe, target: float, method: ResRep) -> Recipe:
    settings = method.model_copy(update={"target": target})
    return base.model_copy(
        update={"initialisation": base, "teacher": None, "compactors": "both", "method": settings}
    )
