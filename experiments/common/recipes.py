"""Recipes of the runs behind the tables' rows, for a data set, a scale and a seed."""

from dataclasses import replace

from cdd.architecture import Network
from cdd.contract import Fidelity, Method
from cdd.methods.capacity_dynamic import CapacityDynamic
from cdd.methods.knowledge_distillation import KD
from cdd.methods.resrep import ResRep
from cdd.methods.supervised import Supervised
from cdd.recipe import Objective, Recipe, Schedule
from experiments.common.settings import SETTINGS, Setting


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
    if size := network.image_size:
        data = setting.data.model_copy(update=dict(zip(("height", "width"), size, strict=True)))
        setting = replace(setting, data=data)
    return Recipe(
        data=setting.data,
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


def cdd_with_fidelity(fidelity: Fidelity, dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR where the student's training follows the text in other points; the teacher is the same."""
    return _differing({"fidelity": fidelity}, dataset, scale, seed)


def cdd_with_objective(objective: Objective, dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR with other settings of the losses that every run has; the teacher is the same."""
    return _differing({"objective": objective}, dataset, scale, seed)


def cdd_stepped_by_epoch(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR whose learning rate changes between epochs alone; the teacher is the same."""
    schedule = SETTINGS[dataset, scale].schedule.model_copy(update={"step": "epoch"})
    return _differing({"schedule": schedule}, dataset, scale, seed)


def cdd_without_self_match(dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR whose queries find K other rows than their own."""
    return _varied({"self_match": False}, dataset, scale, seed)


def cdd_with_gallery(share: float, dataset: str, scale: str, seed: int) -> Recipe:
    """CDD + RGGR with a gallery of this share of the usual batches."""
    setting = SETTINGS[dataset, scale]
    batches = round(share * setting.resetting.queue / setting.batch.size)
    return _varied({"queue": batches * setting.batch.size}, dataset, scale, seed)


def _differing(changes: dict[str, object], dataset: str, scale: str, seed: int) -> Recipe:
    return cdd_with_resetting(dataset, scale, seed).model_copy(update=changes)


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
