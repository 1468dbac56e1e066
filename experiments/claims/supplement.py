"""Claims of the supplement: who asks in the retrieval, RGGR against CWGR, and alpha."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, MULTIPLY_ADDS, PARAMETERS, RANK_1
from experiments.schema.claim import Claim, Comparison, FinalMetric, QuotedNumber, RunRef

ROLE_CROSS, STANDARD = (
    RunRef("supp-table1", f"{name} retrieval strategy", "VeRi-776") for name in ("role-cross", "standard")
)
CDD, BY_WEIGHT, BY_RETRIEVAL = (
    RunRef("supp-table2", row, "VeRi-776") for row in ("CDD", "CDD+CWGR", "CDD+RGGR")
)
SPARSE, DENSE = (RunRef("supp-figure1", f"alpha = {value}", "In-Shop") for value in ("6e-3", "3e-3"))
VEHICLES_SPARSE, VEHICLES_DENSE = (
    RunRef("supp-figure1", f"alpha = {value}", "VeRi-776") for value in ("6e-3", "3e-3")
)

figure_1 = partial(
    Claim, source="Xie et al., CVPR 2023, Supplement, Figure 1", where="Supplement, Section 1.3"
)
table_2 = partial(Claim, source="Xie et al., CVPR 2023, Supplement, Table 2", where="Supplement, Section 1.2")
table_1 = partial(Claim, source="Xie et al., CVPR 2023, Supplement, Table 1", where="Supplement, Section 1.1")

SUPPLEMENT = (
    table_1(
        name="role-cross-map",
        text="It is better that the teacher's features ask than the student's (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(ROLE_CROSS, STANDARD),),
        printed=(QuotedNumber("0.39 % mAP", 0.39, "Supplement, Section 1.1"),),
    ),
    table_1(
        name="role-cross-rank1",
        text="It is better at rank 1, too (VeRi-776)",
        measure=FinalMetric(RANK_1),
        pairs=(Comparison(ROLE_CROSS, STANDARD),),
        printed=(QuotedNumber("0.53 % R1", 0.53, "Supplement, Section 1.1"),),
    ),
    table_2(
        name="retrieval-chooses-better-map",
        text="Rows chosen by retrieval (RGGR) are better than those of small weights (CWGR) (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(BY_RETRIEVAL, BY_WEIGHT),),
        printed=(QuotedNumber("1.27 % mAP", 1.27, "Supplement, Section 1.2"),),
    ),
    table_2(
        name="retrieval-chooses-better-rank1",
        text="They are better at rank 1, too (VeRi-776)",
        measure=FinalMetric(RANK_1),
        pairs=(Comparison(BY_RETRIEVAL, BY_WEIGHT),),
        printed=(QuotedNumber("0.95 % R1", 0.95, "Supplement, Section 1.2"),),
    ),
    table_2(
        name="retrieval-costs-the-same",
        text="Both leave the same multiply-adds (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(BY_RETRIEVAL, BY_WEIGHT),),
        relation="same",
        margin=2.0,
        remark="Here this is no finding: CWGR resets rows until the multiply-adds are left that RGGR left.",
    ),
    table_2(
        name="weights-prune-more",
        text="CWGR prunes more than CDD alone (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(BY_WEIGHT, CDD),),
    ),
    table_2(
        name="weights-cost-accuracy",
        text="CWGR costs accuracy against CDD alone (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(CDD, BY_WEIGHT),),
    ),
    figure_1(
        name="penalty-map",
        text="alpha from 3e-3 to 6e-3 costs little accuracy (In-Shop)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(SPARSE, DENSE),),
        relation="no less",
        margin=0.5,
        printed=(QuotedNumber("from 81.5 % to 81.1 %", -0.4, "Supplement, Section 1.3"),),
    ),
    figure_1(
        name="penalty-parameters",
        text="alpha from 3e-3 to 6e-3 prunes more parameters (In-Shop)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(SPARSE, DENSE),),
        printed=(QuotedNumber("from 16.2 M to 14.0 M", 100 * (1 - 14.0 / 16.2), "Supplement, Section 1.3"),),
    ),
    figure_1(
        name="penalty-multiply-adds",
        text="A larger alpha prunes more multiply-adds (In-Shop)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(SPARSE, DENSE),),
    ),
    figure_1(
        name="penalty-map-veri",
        text="A larger alpha costs little accuracy (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(VEHICLES_SPARSE, VEHICLES_DENSE),),
        relation="no less",
        margin=0.5,
    ),
    figure_1(
        name="penalty-parameters-veri",
        text="A larger alpha prunes more parameters (VeRi-776)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(VEHICLES_SPARSE, VEHICLES_DENSE),),
    ),
    figure_1(
        name="penalty-multiply-adds-veri",
        text="A larger alpha prunes more multiply-adds (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(VEHICLES_SPARSE, VEHICLES_DENSE),),
    ),
)
