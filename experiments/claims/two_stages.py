"""Claims from Table 5: distillation and pruning at once against one after the other."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, RANK_1
from experiments.schema.claim import Final, Pair, Printed, PublishedClaim, RunOf

WHERE = "Section 4.5.1"
AT_ONCE, IN_TWO_STAGES, PRUNED = (
    RunOf("table5", row, "MSMT17") for row in ("CDD+RGGR", "Self-KD + ResRep", "ResRep")
)

table_5 = partial(PublishedClaim, source="Xie et al., CVPR 2023, Table 5", where=WHERE)

TWO_STAGES = (
    table_5(
        name="at-once-map",
        text="Distilling and pruning at once is more accurate than in two stages (MSMT17)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(AT_ONCE, IN_TWO_STAGES),),
        printed=(Printed("4.18 % mAP", 4.18, WHERE),),
    ),
    table_5(
        name="at-once-rank1",
        text="It is better at rank 1, too (MSMT17)",
        measure=Final(RANK_1),
        pairs=(Pair(AT_ONCE, IN_TWO_STAGES),),
        printed=(Printed("3.38 % R1", 3.38, WHERE),),
    ),
    table_5(
        name="self-distillation-map",
        text="Self-distillation before it helps ResRep (MSMT17)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(IN_TWO_STAGES, PRUNED),),
    ),
    table_5(
        name="self-distillation-rank1",
        text="Self-distillation helps ResRep at rank 1, too (MSMT17)",
        measure=Final(RANK_1),
        pairs=(Pair(IN_TWO_STAGES, PRUNED),),
    ),
)
