"""Figure 6: output channels of the compactor in every residual block, with and without RGGR, on In-Shop."""

from functools import partial

from experiments.common.columns import IN_SHOP
from experiments.common.recipes import cdd, cdd_with_resetting
from experiments.schema.figure import ChannelBars, Curve

FIGURE = ChannelBars(
    name="figure6",
    title="The output channel number of DGC in each residual block on In-Shop",
    source="Xie et al., CVPR 2023, Figure 6",
    group=IN_SHOP,
    curves=(
        Curve(label="CDD", recipe=partial(cdd, "in-shop")),
        Curve(label="CDD+RGGR", recipe=partial(cdd_with_resetting, "in-shop"), own=True),
    ),
    notes=("The paper names one pair of numbers: 241 channels without and 1 with RGGR in block 32.",),
)
