"""Claims from Table 5: distillation and pruning at once against one after the other."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, RANK_1
from experiments.schema.claim import Claim, Comparison, FinalMetric, QuotedNumber, RunRef

WHERE = "Section 4.5.1"
AT_ONCE, IN_TWO_STAGES, PRUNED = (
    RunRef("table5", row, "MSMT17") for row in ("CDD+RGGR", "Self-KD + ResRep", "ResRep")
)

table_5 = partial(Claim, source="Xie et al., CVPR 2023, Table 5", where=WHERE)

TWO_STAGES = (
    table_5(
        name="at-once-map",
        text="Distilling and pruning at once is more accurate than in two stages (MSMT17)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(AT_ONCE, IN_TWO_STAGES),),
        printed=(QuotedNumber("4.18 % mAP", 4.18, WHERE),),
    ),
    table_5(
        name="at-once-rank1",
        text="It is better at rank 1, too (MSMT17)",
        measure=FinalMetric(RANK_1),
        pairs=(Comparison(AT_ONCE, IN_TWO_STAGES),),
        printed=(QuotedNumber("3.38 % R1", 3.38, WHERE),),
    ),
    table_5(
        name="self-distillation-map",
        text="Self-distillation before it helps ResRep (MSMT17)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(IN_TWO_STAGES, PRUNED),),
    ),
    table_5(
        name="self-distillation-rank1",
        text="Self-distillation helps ResRep at rank 1, too (MSMT17)",
        measure=FinalMetric(RANK_1),
        pairs=(Comparison(IN_TWO_STAGES, PRUNED),),
    ),
)
