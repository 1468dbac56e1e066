"""Supplement, Figure 1: the weight of the lasso, alpha, against accuracy and cost."""

from functools import partial

from experiments.common.recipes import cdd_with_penalty
from experiments.common.sweeps import CDD_WITH_RGGR, point, shown
from experiments.schema.figure import Sweep
from experiments.schema.table import Table

NAMES = ("mAP", "MP", "FLOPs")

FIGURE = Sweep(
    axis="alpha (1e-3)",
    values={"alpha = 3e-3": 3, "alpha = 4e-3": 4, "alpha = 5e-3": 5, "alpha = 6e-3": 6},
    table=Table(
        name="supp-figure1",
        title="The influences of alpha values",
        source="Xie et al., CVPR 2023, Supplement, Figure 1",
        headings=("alpha",),
        groups=shown(*NAMES),
        reference="alpha = 4e-3",
        rows=(
            point(
                "alpha = 3e-3", partial(cdd_with_penalty, 3e-3), NAMES, {"In-Shop": {"mAP": 81.5, "MP": 16.2}}
            ),
            point("alpha = 4e-3", partial(cdd_with_penalty, 4e-3), NAMES, CDD_WITH_RGGR),
            point("alpha = 5e-3", partial(cdd_with_penalty, 5e-3), NAMES),
            point(
                "alpha = 6e-3", partial(cdd_with_penalty, 6e-3), NAMES, {"In-Shop": {"mAP": 81.1, "MP": 14.0}}
            ),
        ),
        notes=(
            "Below the paper's scale the penalty is larger, so that rows vanish in fewer steps; these values "
            "are multiplied by the same factor.",
        ),
    ),
)
