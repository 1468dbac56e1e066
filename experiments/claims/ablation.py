"""Claims from Table 1: what the compactor and the gradient resetting add, and what the abstract promises."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, MULTIPLY_ADDS, PARAMETERS, RANK_1
from experiments.schema.claim import Claim, Comparison, FinalMetric, QuotedNumber, RunRef

ABSTRACT = "Abstract; Section 4.3"
ACCURACY_ALLOWANCE = 0.5
"""Percentage points of mAP up to which the text says "without loss"; its own largest loss is 0.44."""
TEACHER, BARE, CDD, RGGR = (
    RunRef("table1", row, "VeRi-776") for row in ("Teacher", "CDD w/o DGC", "CDD", "CDD+RGGR")
)
CLOTHES_CDD, CLOTHES_RGGR = RunRef("table1", "CDD", "In-Shop"), RunRef("table1", "CDD+RGGR", "In-Shop")
CLOTHES_TEACHER, CLOTHES_BARE = (RunRef("table1", row, "In-Shop") for row in ("Teacher", "CDD w/o DGC"))

ablation = partial(Claim, source="Xie et al., CVPR 2023, Table 1", where="Section 4.3")
abstract = partial(Claim, source="Xie et al., CVPR 2023, Table 1", where=ABSTRACT)

ABLATION = (
    ablation(
        name="bare-loses-map",
        text="Distilling and pruning the same filters falls far below the teacher (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(TEACHER, BARE),),
        printed=(QuotedNumber("18.36 % mAP", 18.36, "Section 4.3"),),
    ),
    ablation(
        name="bare-loses-rank1",
        text="It falls below the teacher at rank 1, too (VeRi-776)",
        measure=FinalMetric(RANK_1),
        pairs=(Comparison(TEACHER, BARE),),
        printed=(QuotedNumber("3.15 % R1", 3.15, "Section 4.3"),),
    ),
    ablation(
        name="bare-loses-map-in-shop",
        text="Distilling and pruning the same filters costs accuracy (In-Shop)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(CLOTHES_TEACHER, CLOTHES_BARE),),
    ),
    ablation(
        name="compactor-map",
        text="The compactor keeps the accuracy (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(CDD, BARE),),
        printed=(QuotedNumber("18.22 % mAP", 18.22, "Section 4.3"),),
    ),
    ablation(
        name="compactor-rank1",
        text="The compactor keeps rank 1 (VeRi-776)",
        measure=FinalMetric(RANK_1),
        pairs=(Comparison(CDD, BARE),),
        printed=(QuotedNumber("3.21 % R1", 3.21, "Section 4.3"),),
    ),
    ablation(
        name="compactor-parameters",
        text="The compactor prunes more parameters than pruning the filters themselves (VeRi-776)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(CDD, BARE),),
        printed=(QuotedNumber("21.21 M", 100 * 21.21 / 39.80, "Section 4.3"),),
    ),
    ablation(
        name="compactor-multiply-adds",
        text="The compactor prunes more multiply-adds, too (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(CDD, BARE),),
        printed=(QuotedNumber("6.19 G", 100 * 6.19 / 11.96, "Section 4.3"),),
    ),
    ablation(
        name="compactor-map-in-shop",
        text="The compactor keeps more accuracy (In-Shop)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(CLOTHES_CDD, CLOTHES_BARE),),
    ),
    ablation(
        name="compactor-parameters-in-shop",
        text="The compactor prunes more parameters (In-Shop)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(CLOTHES_CDD, CLOTHES_BARE),),
    ),
    ablation(
        name="compactor-multiply-adds-in-shop",
        text="The compactor prunes more multiply-adds (In-Shop)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(CLOTHES_CDD, CLOTHES_BARE),),
    ),
    ablation(
        name="resetting-parameters-in-shop",
        text="RGGR prunes parameters that CDD alone does not (In-Shop)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(CLOTHES_RGGR, CLOTHES_CDD),),
        printed=(QuotedNumber("25.67 % MP", 25.67, "Section 4.3"),),
    ),
    ablation(
        name="resetting-multiply-adds-in-shop",
        text="RGGR prunes multiply-adds that CDD alone does not (In-Shop)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(CLOTHES_RGGR, CLOTHES_CDD),),
        printed=(QuotedNumber("25.80 % FLOPs", 25.80, "Section 4.3"),),
    ),
    ablation(
        name="resetting-map-in-shop",
        text="RGGR costs no accuracy against CDD (In-Shop)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(CLOTHES_RGGR, CLOTHES_CDD),),
        relation="no less",
        margin=ACCURACY_ALLOWANCE,
        printed=(QuotedNumber("drops 0.1 %", -0.1, "Figure 6"),),
    ),
    ablation(
        name="resetting-parameters-veri",
        text="RGGR prunes parameters that CDD alone does not (VeRi-776)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(RGGR, CDD),),
        printed=(QuotedNumber("23.08 % MP", 23.08, "Section 4.3"),),
    ),
    ablation(
        name="resetting-multiply-adds-veri",
        text="RGGR prunes multiply-adds that CDD alone does not (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(RGGR, CDD),),
        printed=(QuotedNumber("22.70 % FLOPs", 22.70, "Section 4.3"),),
    ),
    ablation(
        name="resetting-map-veri",
        text="RGGR costs no accuracy against CDD (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(RGGR, CDD),),
        relation="no less",
        margin=ACCURACY_ALLOWANCE,
    ),
    abstract(
        name="teacher-parameters",
        text="The student has far fewer parameters than its teacher (VeRi-776)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(RGGR, TEACHER),),
        printed=(QuotedNumber("67.13 %", 67.13, "Abstract"),),
    ),
    abstract(
        name="teacher-multiply-adds",
        text="The student has far fewer multiply-adds than its teacher (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(RGGR, TEACHER),),
        printed=(QuotedNumber("65.67 %", 65.67, "Abstract"),),
    ),
    abstract(
        name="teacher-parameters-in-shop",
        text="The student is smaller than its teacher (In-Shop)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(CLOTHES_RGGR, CLOTHES_TEACHER),),
    ),
    abstract(
        name="teacher-map-veri",
        text="The student is as accurate as its teacher (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(RGGR, TEACHER),),
        relation="no less",
        margin=ACCURACY_ALLOWANCE,
    ),
    ablation(
        name="teacher-map-in-shop",
        text="The student is as accurate as its teacher (In-Shop)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(CLOTHES_RGGR, CLOTHES_TEACHER),),
        relation="no less",
        margin=ACCURACY_ALLOWANCE,
    ),
)
