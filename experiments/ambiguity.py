"""What each point is worth on which the text is silent or differs from the release, switched alone."""

from functools import partial

from cdd.contract import PAPER, Fidelity
from cdd.recipe import Objective
from experiments.columns import VERI_776
from experiments.recipes import (
    cdd_stepped_by_epoch,
    cdd_with_fidelity,
    cdd_with_gallery,
    cdd_with_objective,
    cdd_with_resetting,
    cdd_without_self_match,
)
from reproduce.artifact import Entry, RecipeMaker, Row, Table


def _switched(label: str, number: str, recipe: RecipeMaker) -> Row:
    return Row(label=label, texts=(number,), entries={"VeRi-776": Entry(recipe=recipe)})


TABLE = Table(
    name="ambiguity",
    title="What the ambiguous points are worth",
    source="beyond the paper",
    headings=("Switched", "No."),
    groups=(VERI_776,),
    reference="CDD+RGGR",
    rows=(
        _switched("CDD+RGGR", "-", partial(cdd_with_resetting, "veri776")),
        _switched(
            "mean over blocks", "A1", partial(cdd_with_fidelity, Fidelity(tap_reduction="mean"), "veri776")
        ),
        _switched("fresh masks", "A2", partial(cdd_with_fidelity, Fidelity(sticky_masks=False), "veri776")),
        _switched(
            "teacher by running statistics",
            "A3",
            partial(cdd_with_fidelity, Fidelity(teacher_batch_norm="running"), "veri776"),
        ),
        _switched(
            "neck at the base rate",
            "A4",
            partial(cdd_with_fidelity, Fidelity(neck_learning_rate_factor=1.0), "veri776"),
        ),
        _switched(
            "no decay on compactors",
            "A5",
            partial(cdd_with_fidelity, Fidelity(compactor_weight_decay=False), "veri776"),
        ),
        _switched(
            "erased to zero", "A6", partial(cdd_with_fidelity, Fidelity(erasing_fill="zero"), "veri776")
        ),
        _switched("all of A by the text", "A", partial(cdd_with_fidelity, PAPER, "veri776")),
        _switched("no self match", "B2", partial(cdd_without_self_match, "veri776")),
        _switched("a tenth of the gallery", "B4", partial(cdd_with_gallery, 0.1, "veri776")),
        _switched("margin 0.3", "B6", partial(cdd_with_objective, Objective(triplet_margin=0.3), "veri776")),
        _switched("temperature 1", "B6", partial(cdd_with_objective, Objective(temperature=1.0), "veri776")),
        _switched("stepped by epoch", "E", partial(cdd_stepped_by_epoch, "veri776")),
    ),
)
