"""Figure 5: the number of retrieved images, K, against accuracy."""

from functools import partial

from experiments.recipes import cdd_with_neighbours
from experiments.sweeps import CDD_WITH_RGGR, point, shown
from reproduce.artifact import Claim, Table
from reproduce.picture import Sweep

NAMES = ("mAP",)

FIGURE = Sweep(
    axis="K",
    values={"K = 1": 1, "K = 2": 2, "K = 3": 3, "K = 4": 4, "K = 5": 5, "K = 6": 6},
    table=Table(
        name="figure5",
        title="The influences of K values on mAP",
        source="Xie et al., CVPR 2023, Figure 5",
        headings=("K",),
        groups=shown(*NAMES),
        reference="K = 2",
        rows=(
            point("K = 1", partial(cdd_with_neighbours, 1), NAMES),
            point("K = 2", partial(cdd_with_neighbours, 2), NAMES, CDD_WITH_RGGR),
            point("K = 3", partial(cdd_with_neighbours, 3), NAMES),
            point("K = 4", partial(cdd_with_neighbours, 4), NAMES),
            point("K = 5", partial(cdd_with_neighbours, 5), NAMES),
            point("K = 6", partial(cdd_with_neighbours, 6), NAMES),
        ),
        claims=(
            Claim(text="more than the query itself is better", row="K = 2", than="K = 1", column="mAP"),
            Claim(text="beyond, it hardly matters", row="K = 6", than="K = 2", column="mAP", allowance=0.5),
        ),
        notes=("A query finds itself first, so K = 1 means no retrieval. It prints values for K = 2 alone.",),
    ),
)
