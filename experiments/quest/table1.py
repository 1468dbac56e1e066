"""QuEST's Table 1: thirteen pairs of teacher and student on CIFAR-100."""

from functools import partial

from experiments.quest.columns import STUDENT, TEACHER, WITH_WORDS
from experiments.quest.recipes import classifier, quest
from experiments.schema.table import Entry, Row, Table

PARAMETERS = {
    "WRN-40-2": 2.26,
    "WRN-16-2": 0.70,
    "WRN-40-1": 0.57,
    "ResNet56": 0.86,
    "ResNet20": 0.28,
    "ResNet110": 1.73,
    "ResNet32": 0.47,
    "ResNet32x4": 7.43,
    "ResNet8x4": 1.23,
    "VGG13": 9.46,
    "VGG8": 3.96,
    "MobileNetV2": 0.81,
    "ResNet50": 23.7,
    "ShuffleNetV1": 0.95,
    "ShuffleNetV2": 1.36,
}
"""In millions, as printed."""
PAIRS = (
    ("WRN-40-2", "WRN-16-2", 68.81, 75.61, 73.26, 76.10),
    ("WRN-40-2", "WRN-40-1", 74.73, 75.61, 71.98, 74.58),
    ("ResNet56", "ResNet20", 67.70, 72.34, 69.06, 71.84),
    ("ResNet110", "ResNet20", 83.97, 74.31, 69.06, 71.89),
    ("ResNet110", "ResNet32", 72.78, 74.31, 71.14, 74.08),
    ("ResNet32x4", "ResNet8x4", 83.41, 79.42, 72.50, 75.88),
    ("VGG13", "VGG8", 58.10, 74.64, 70.36, 73.81),
    ("VGG13", "MobileNetV2", 91.41, 74.64, 64.6, 68.79),
    ("ResNet50", "MobileNetV2", 96.57, 79.34, 64.6, 69.81),
    ("ResNet50", "VGG8", 83.27, 79.34, 70.36, 75.17),
    ("ResNet32x4", "ShuffleNetV1", 87.23, 79.42, 70.50, 76.28),
    ("ResNet32x4", "ShuffleNetV2", 81.77, 79.42, 71.82, 77.09),
    ("WRN-40-2", "ShuffleNetV1", 57.91, 75.61, 70.50, 76.75),
)
"""Teacher, student, compression and the accuracies of teacher, student and QuEST, in percent."""
TRUNCATED = {
    "ResNet110": "1.73 M is printed for ResNet110; it has 1,736,564 parameters, and the compressions follow "
    "from these: the paper cuts the number off where it rounds others.",
    "VGG8": "3.96 M is printed for VGG8; it has 3,965,028 parameters, of which the same is true.",
}


def row(teacher: str, student: str, compression: float, *accuracies: float) -> Row:
    """One pair."""
    of_teacher, of_student, ours = accuracies
    return Row(
        label=f"{teacher} to {student}",
        entries={
            TEACHER.title: Entry(
                recipe=partial(classifier, teacher, "cifar100"),
                paper={"parameters": PARAMETERS[teacher], "top-1": of_teacher},
            ),
            STUDENT.title: Entry(
                recipe=partial(classifier, student, "cifar100"),
                paper={"parameters": PARAMETERS[student], "top-1": of_student},
            ),
            WITH_WORDS.title: Entry(
                recipe=partial(quest, teacher, student, "cifar100"),
                paper={"compression": compression, "top-1": ours},
            ),
        },
        note=" ".join(text for name, text in TRUNCATED.items() if name in (teacher, student)),
    )


TABLE = Table(
    name="quest-table1",
    title="Number of parameters and accuracy of teacher and student networks on CIFAR-100, and of QuEST",
    source="Jain et al., ECCV 2020, QuEST's supplement, Table 1",
    headings=("Teacher to student",),
    groups=(TEACHER, STUDENT, WITH_WORDS),
    rows=tuple(row(*pair) for pair in PAIRS),
    notes=(
        "Parameters are those of the network as it is trained, batch norms and classifier included. "
        "Compression: the share of the teacher's parameters that the student saves.",
        "The accuracy is that of the last epoch. QuEST quantises the last map before its ReLU; its release "
        "reads the map behind the ReLU for most of these pairs.",
    ),
)
