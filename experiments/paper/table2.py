"""Table 2: CDD+RGGR against distillation and pruning methods on In-Shop."""

from functools import partial

from cdd.methods.attention_transfer import AT
from cdd.methods.cckd import CCKD
from cdd.methods.cskd import CSKD
from cdd.methods.factor_transfer import FT
from cdd.methods.kdpe import KDPE
from cdd.methods.mbdl import MBDL
from cdd.methods.pkt import PKT
from cdd.methods.rkd import RKD
from cdd.methods.similarity_preserving import SP
from cdd.methods.vid import VID
from experiments.common.columns import IN_SHOP
from experiments.common.comparison import (
    BUDGET,
    MISPRINTED_PARAMETERS,
    RECONSTRUCTED,
    ComparisonSetting,
    decoupled,
    distilled,
    reported,
)
from experiments.common.recipes import cdd_with_resetting, resrep
from experiments.common.rows import HEAVY, trained
from experiments.schema.table import Table

HERE = ComparisonSetting(group=IN_SHOP, dataset="in-shop", multiply_adds=7.31)

TABLE = Table(
    name="table2",
    title="Performance comparison on In-Shop",
    source="Xie et al., CVPR 2023, Table 2",
    headings=("Method", "Teacher", "Student"),
    groups=(IN_SHOP,),
    reference="CDD+RGGR",
    side_by_side=True,
    rows=(
        reported(
            "Fastretri",
            HERE,
            "ResNet50",
            {"MP": 25.54, "FLOPs": 8.13, "R1": 91.97},
            note=MISPRINTED_PARAMETERS,
        ),
        distilled("CCKD", CCKD(), HERE, {"mAP": 80.65, "R1": 94.78}),
        distilled("VID", VID(), HERE, {"mAP": 80.61, "R1": 94.57}),
        distilled("FT", FT(), HERE, {"mAP": 80.51, "R1": 94.55}),
        distilled("SP", SP(), HERE, {"mAP": 80.81, "R1": 94.89}),
        distilled("AT", AT(), HERE, {"mAP": 80.85, "R1": 94.91}),
        distilled("RKD", RKD(), HERE, {"mAP": 81.03, "R1": 94.81}),
        distilled("PKT", PKT(), HERE, {"mAP": 80.59, "R1": 94.68}),
        distilled("MBDL", MBDL(), HERE, {"mAP": 80.76, "R1": 94.71}, RECONSTRUCTED),
        distilled("DKD", decoupled("in-shop"), HERE, {"mAP": 80.93, "R1": 94.86}),
        distilled("CSKD", CSKD(weight=10), HERE, {"mAP": 80.65, "R1": 94.77}),
        distilled("KDPE", KDPE(), HERE, {"mAP": 78.99, "R1": 94.08}),
        trained(
            "ResRep",
            partial(resrep, 0.393),
            {"In-Shop": {"MP": 16.27, "FLOPs": 5.11, "mAP": 79.86, "R1": 94.68}},
            texts=HEAVY,
        ),
        trained(
            "CDD+RGGR",
            cdd_with_resetting,
            {"In-Shop": {"MP": 14.97, "FLOPs": 4.68, "mAP": 81.28, "R1": 95.14}},
            texts=HEAVY,
        ),
    ),
    notes=(BUDGET,),
)
