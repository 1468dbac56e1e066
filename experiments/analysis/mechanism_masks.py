"""Figure of the masks of RGGR and of weight-guided resetting, block by block over the epochs."""

from functools import partial

from experiments.common.columns import VERI_776
from experiments.common.recipes import cdd_with_resetting, cdd_with_weight_guided_resetting
from experiments.schema.figure import BlockHeatmap, Curve

FIGURE = BlockHeatmap(
    name="mechanism-masks",
    title="Share of each residual block's compactor rows whose retrieval gradient is reset",
    source="beyond the paper",
    group=VERI_776,
    curves=(
        Curve(label="CDD+RGGR", recipe=partial(cdd_with_resetting, "veri776")),
        Curve(label="CDD+CWGR", recipe=partial(cdd_with_weight_guided_resetting, "veri776")),
    ),
    metric="masked",
    quantity="share of rows masked",
    notes=("The masks of RGGR are sticky (fidelity code): a row that was masked once stays so.",),
)
