"""Row and objective of a study, and the data that it must not use."""

from dataclasses import dataclass, field
from pathlib import Path

from cdd.data.records import CLASSIFICATION
from cdd.recipe import Recipe
from cdd.training.environment import Machine
from cdd.values import Use
from experiments.schema.scale import Scale
from experiments.schema.table import Group, Table
from reproduce.errors import UsageError

COST = "multiply_adds"


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What the command line asked for.

    Attributes:
        space: a name in `study_space.SPACES`.
        artifact: table whose row is tuned.
        row: its label; None for the first row with the method.
        method: class of the row's method, in any case of letters; None where `row` is given.
        trials: finished trials that the study shall have, pruned ones included.
        prunes: whether trials that fall behind the others end early.
        storage: Optuna's; None for a sqlite file in the results folder.
        seed: of the recipe, and of the sampler.
        changes: made to every run of the study, as by `--set`.
    """

    space: str
    artifact: str
    row: str | None = None
    method: str | None = None
    trials: int
    prunes: bool = True
    scale: Scale = "mini"
    seed: int = 0
    storage: str | None = None
    changes: list[str] = field(default_factory=list)
    results: Path = Path("results")
    machine: Machine = Machine()


@dataclass(frozen=True, kw_only=True)
class StudyObjective:
    """What a study judges its trials by, without looking at a test image.

    Attributes:
        use: of the data, by every run of the study, teachers as well.
        metric: what is raised.
        accuracy: its name for people.
        seen: what it is measured on, in a sentence.
    """

    use: Use
    metric: str
    accuracy: str
    seen: str


def objective_of(recipe: Recipe, group: Group) -> StudyObjective:
    """Validation identities are set aside from training and evaluated; of classification, training images."""
    if recipe.data.use in CLASSIFICATION:
        return StudyObjective(
            use="classification-tuning",
            metric="top1",
            accuracy="top-1",
            seen="Accuracy on a fifth of the training images, which were set aside from training, for the "
            "teacher as well; no test image was used.",
        )
    return StudyObjective(
        use="tuning",
        metric=f"{group.protocol}/mAP",
        accuracy="mAP",
        seen=f"mAP of the {group.protocol} protocol on validation identities, which were set aside from "
        "training, for the teacher as well; no test identity was used.",
    )


def find_row(table: Table, request: StudyRequest) -> tuple[str, Group, Recipe]:
    """Label, group and run of the row that is asked for.

    Raises:
        UsageError: naming the rows, or the methods, that there are.
    """
    groups = {group.title: group for group in table.groups}
    rows = table.recipes(request.scale, request.seed)
    for label, title, recipe in rows:
        method = type(recipe.method).__name__.lower()
        if label == request.row or (request.row is None and method == (request.method or "").lower()):
            return label, groups[title], recipe
    if request.row is not None:
        labels = dict.fromkeys(label for label, _, _ in rows)
        raise UsageError(f"--row {request.row!r}: {table.name} has the rows {', '.join(labels)}")
    known = dict.fromkeys(type(recipe.method).__name__.lower() for _, _, recipe in rows)
    raise UsageError(f"--method {request.method}: {table.name} has rows of {', '.join(known)}")
