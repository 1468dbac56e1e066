"""Rows and notes that Tables 2, 3 and 4 share: distilled light students and reported methods."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from cdd.contract import Method
from cdd.methods.dkd import DKD
from cdd.recipe import Recipe
from experiments.common.recipes import light_student
from experiments.common.settings import SETTINGS
from experiments.schema.table import Entry, Group, RecipeMaker, Row

RECONSTRUCTED = "A reconstruction: only the abstract of the original is public; the equations are ours."
MISPRINTED_PARAMETERS = "25.54 is a slip: the count that gives every other number of the paper gives 24.54."
MISPRINTED_MULTIPLY_ADDS = "7.31 is a slip: it is ResNet-34 at 256x256; at 320x160 it has 5.71, as above."
OTHER_HEAD = "The paper counts another head, or a pre-logits layer; ours has the neck of every row."
BUDGET = (
    "Every trained row has the same images, batches, epochs and schedule. Weights of the compared methods "
    "are those of their publications, or of the retrieval library closest to them; none was tuned. At the "
    "small scale, penalty, ratio and start of CDD+RGGR were chosen on validation identities. ResRep prunes "
    "the trained teacher, so it has the teacher's epochs and as many of its own; where the schedule is "
    "short, its penalty is raised with CDD's, and rows below a norm of 1e-3 go: they swing about zero there."
)
DKD_WARM_UP = 0.2
"""Share of the epochs in which DKD's loss grows to its weight: 20 of 100."""


@dataclass(frozen=True, kw_only=True)
class ComparisonSetting:
    """Where the methods are compared: the data set and what a light student costs there, in G."""

    group: Group
    dataset: str
    multiply_adds: float


def distilled(
    label: str,
    method: Method | RecipeMaker,
    where: ComparisonSetting,
    accuracy: Mapping[str, float],
    note: str = "",
    *,
    multiply_adds: float | None = None,
) -> Row:
    """The row of a ResNet-34 taught by a ResNet-101, with the paper's accuracy and cost.

    Args:
        label: as the paper names the method.
        method: with its settings, or what makes the run where settings depend on the scale.
        where: the table.
        accuracy: the paper's mAP and R1.
        note: below the table.
        multiply_adds: what the paper prints here, in G, where it is not what it prints in the other rows.
    """
    recipe = partial(light_student, method, where.dataset) if isinstance(method, Method) else method
    paper = {"MP": 21.54, "FLOPs": multiply_adds or where.multiply_adds, **accuracy}
    entries = {where.group.title: Entry(recipe=recipe, paper=paper)}
    return Row(label=label, texts=("ResNet101", "ResNet34"), entries=entries, note=note)


def decoupled(dataset: str) -> RecipeMaker:
    """DKD, whose warm-up lasts the same share of any schedule."""

    def recipe(scale: str, seed: int) -> Recipe:
        epochs = SETTINGS[dataset, scale].schedule.epochs
        return light_student(DKD(warmup_epochs=round(DKD_WARM_UP * epochs)), dataset, scale, seed)

    return recipe


def reported(
    label: str,
    where: ComparisonSetting,
    student: str,
    paper: Mapping[str, float],
    *,
    teacher: str = "-",
    note: str = "",
) -> Row:
    """A row that the paper copied from a publication."""
    entries = {where.group.title: Entry(paper=paper)}
    return Row(label=label, texts=(teacher, student), entries=entries, reported=True, note=note)
