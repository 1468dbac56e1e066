"""Figure 5: the number of retrieved images, K, against accuracy."""

from experiments.common.sweeps import sweep_of_neighbours

FIGURE = sweep_of_neighbours(
    name="figure5",
    title="The influences of K values on mAP",
    source="Xie et al., CVPR 2023, Figure 5",
    names=("mAP",),
)
