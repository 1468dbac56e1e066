"""Supplement, Figure 2: the number of retrieved images, K, against accuracy and cost."""

from experiments.common.sweeps import sweep_of_neighbours

FIGURE = sweep_of_neighbours(
    name="supp-figure2",
    title="The influences of K values",
    source="Xie et al., CVPR 2023, Supplement, Figure 2",
    names=("mAP", "MP", "FLOPs"),
)
