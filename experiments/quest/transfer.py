"""QuEST's transfer learning: a pretrained ResNet-34 teaches the words of its last two maps (Section C.2)."""

from functools import partial

from cdd.architecture import Backbone, Network
from cdd.methods.quest.quest import QuEST
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, Data, RandomBatch, Recipe
from experiments.common.recipes import pretraining
from experiments.common.settings import PAPER_BACKBONES, SETTINGS, SMALL_BACKBONES
from experiments.quest.columns import STUDENT, TEACHER, TOP_1, group
from experiments.quest.recipes import AS_TEXT, CLASSIFICATION, small, steps
from experiments.schema.scale import Scale
from experiments.schema.table import Entry, Row, Table

WORDS = group("QuEST", TOP_1)
PIXELS: dict[Scale, int] = {"mini": 32, "bench": 64, "paper": 64}
EPOCHS: dict[Scale, int] = {"mini": 15, "bench": 100, "paper": 200}
RESNET_18 = Backbone(block="basic", blocks=(2, 2, 2, 2))
STUDENTS: dict[str, dict[Scale, Network]] = {
    "ResNet18": {
        "mini": SMALL_BACKBONES.light.model_copy(update={"blocks": (1, 1, 1, 1)}),
        "bench": RESNET_18,
        "paper": RESNET_18,
    },
    "VGG9": {
        "mini": small("vgg", 8, 0.25),
        "bench": small("vgg", 8),
        "paper": small("vgg", 8),
    },
}
BATCHES, BETAS = {"ResNet18": 128, "VGG9": 32}, {"ResNet18": 10.0, "VGG9": 20.0}


def teacher(scale: Scale, seed: int) -> Recipe:
    """The pretrained ResNet-34, trained further on the classes."""
    network = SMALL_BACKBONES.light if scale == "mini" else PAPER_BACKBONES.light
    setting = SETTINGS["veri776", scale]
    start = pretraining(setting, network, setting.pretraining) if setting.pretraining else "imagenet"
    return alone(network, 128, scale, seed).model_copy(update={"initialisation": start})


def alone(network: Network, images: int, scale: Scale, seed: int) -> Recipe:
    """A network trained from labels, from random weights, on so many images at a time."""
    pixels = PIXELS[scale]
    return Recipe(
        data=Data(name="household", height=pixels, width=pixels, use="classification"),
        student=network,
        initialisation="random",
        method=Supervised(),
        objective=CLASSIFICATION,
        batch=RandomBatch(size=images),
        schedule=steps(EPOCHS[scale], 0.05, (150 / 200,), 0.1),
        augmentation=Augmentation(padding=pixels // 8, erasing=0),
        evaluate_every=5,
        fidelity=AS_TEXT,
        seed=seed,
    )


def student(name: str, scale: Scale, seed: int) -> Recipe:
    """The student without a teacher."""
    return alone(STUDENTS[name][scale], BATCHES[name], scale, seed)


def quest(name: str, scale: Scale, seed: int) -> Recipe:
    """The student with the teacher's words; each map's temperature follows from its certainty."""
    words = QuEST(
        maps="last two",
        words=256 if scale == "mini" else 4096,
        weight=BETAS[name],
        scale=10.0,
        learns_scale=False,
        bias=True,
    )
    return student(name, scale, seed).model_copy(update={"teacher": teacher(scale, seed), "method": words})


TABLE = Table(
    name="quest-transfer",
    title="Transfer learning to a small data set: ResNet34 to ResNet18 and VGG9",
    source="Jain et al., ECCV 2020, QuEST's supplement, Section C.2",
    headings=("Student",),
    groups=(TEACHER, STUDENT, WORDS),
    rows=tuple(
        Row(
            label=name,
            entries={
                TEACHER.title: Entry(recipe=teacher),
                STUDENT.title: Entry(recipe=partial(student, name)),
                WORDS.title: Entry(recipe=partial(quest, name)),
            },
        )
        for name in STUDENTS
    ),
    notes=(
        "The supplement gives the settings, not the results. It trains on scenes and birds, for which there "
        "is no reader here: at every scale the classes are the embedded data's training identities, of which "
        "the pretraining (at the paper's scale ImageNet's) has seen none. VGG8 stands for VGG9.",
        "beta is the supplement's: 10 and 20. `study weight --method quest --artifact quest-transfer` tunes "
        "it on a fifth of the training images.",
    ),
)
