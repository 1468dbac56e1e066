"""Claims of the supplement: who asks in the retrieval, RGGR against CWGR, and alpha."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, MULTIPLY_ADDS, PARAMETERS, RANK_1
from experiments.schema.claim import Final, Pair, Printed, PublishedClaim, RunOf

ROLE_CROSS, STANDARD = (
    RunOf("supp-table1", f"{name} retrieval strategy", "VeRi-776") for name in ("role-cross", "standard")
)
CDD, BY_WEIGHT, BY_RETRIEVAL = (
    RunOf("supp-table2", row, "VeRi-776") for row in ("CDD", "CDD+CWGR", "CDD+RGGR")
)
SPARSE, DENSE = (RunOf("supp-figure1", f"alpha = {value}", "In-Shop") for value in ("6e-3", "3e-3"))
VEHICLES_SPARSE, VEHICLES_DENSE = (
    RunOf("supp-figure1", f"alpha = {value}", "VeRi-776") for value in ("6e-3", "3e-3")
)

figure_1 = partial(
    PublishedClaim, source="Xie et al., CVPR 2023, Supplement, Figure 1", where="Supplement, Section 1.3"
)
table_2 = partial(
    PublishedClaim, source="Xie et al., CVPR 2023, Supplement, Table 2", where="Supplement, Section 1.2"
)
table_1 = partial(
    PublishedClaim, source="Xie et al., CVPR 2023, Supplement, Table 1", where="Supplement, Section 1.1"
)

SUPPLEMENT = (
    table_1(
        name="role-cross-map",
        text="It is better that the teacher's features ask than the student's (VeRi-776)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(ROLE_CROSS, STANDARD),),
        printed=(Printed("0.39 % mAP", 0.39, "Supplement, Section 1.1"),),
    ),
    table_1(
        name="role-cross-rank1",
        text="It is better at rank 1, too (VeRi-776)",
        measure=Final(RANK_1),
        pairs=(Pair(ROLE_CROSS, STANDARD),),
        printed=(Printed("0.53 % R1", 0.53, "Supplement, Section 1.1"),),
    ),
    table_2(
        name="retrieval-chooses-better-map",
        text="Rows chosen by retrieval (RGGR) are better than those of small weights (CWGR) (VeRi-776)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(BY_RETRIEVAL, BY_WEIGHT),),
        printed=(Printed("1.27 % mAP", 1.27, "Supplement, Section 1.2"),),
    ),
    table_2(
        name="retrieval-chooses-better-rank1",
        text="They are better at rank 1, too (VeRi-776)",
        measure=Final(RANK_1),
        pairs=(Pair(BY_RETRIEVAL, BY_WEIGHT),),
        printed=(Printed("0.95 % R1", 0.95, "Supplement, Section 1.2"),),
    ),
    table_2(
        name="retrieval-costs-the-same",
        text="Both leave the same multiply-adds (VeRi-776)",
        measure=Final(MULTIPLY_ADDS),
        pairs=(Pair(BY_RETRIEVAL, BY_WEIGHT),),
        relation="same",
        margin=2.0,
        remark="Here this is no finding: CWGR resets rows until the multiply-adds are left that RGGR left.",
    ),
    table_2(
        name="weights-prune-more",
        text="CWGR prunes more than CDD alone (VeRi-776)",
        measure=Final(MULTIPLY_ADDS),
        pairs=(Pair(BY_WEIGHT, CDD),),
    ),
    table_2(
        name="weights-cost-accuracy",
        text="CWGR costs accuracy against CDD alone (VeRi-776)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(CDD, BY_WEIGHT),),
    ),
    figure_1(
        name="penalty-map",
        text="alpha from 3e-3 to 6e-3 costs little accuracy (In-Shop)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(SPARSE, DENSE),),
        relation="no less",
        margin=0.5,
        printed=(Printed("from 81.5 % to 81.1 %", -0.4, "Supplement, Section 1.3"),),
    ),
    figure_1(
        name="penalty-parameters",
        text="alpha from 3e-3 to 6e-3 prunes more parameters (In-Shop)",
        measure=Final(PARAMETERS),
        pairs=(Pair(SPARSE, DENSE),),
        printed=(Printed("from 16.2 M to 14.0 M", 100 * (1 - 14.0 / 16.2), "Supplement, Section 1.3"),),
    ),
    figure_1(
        name="penalty-multiply-adds",
        text="A larger alpha prunes more multiply-adds (In-Shop)",
        measure=Final(MULTIPLY_ADDS),
        pairs=(Pair(SPARSE, DENSE),),
    ),
    figure_1(
        name="penalty-map-veri",
        text="A larger alpha costs little accuracy (VeRi-776)",
        measure=Final(MEAN_AVERAGE_PRECISION),
        pairs=(Pair(VEHICLES_SPARSE, VEHICLES_DENSE),),
        relation="no less",
        margin=0.5,
    ),
    figure_1(
        name="penalty-parameters-veri",
        text="A larger alpha prunes more parameters (VeRi-776)",
        measure=Final(PARAMETERS),
        pairs=(Pair(VEHICLES_SPARSE, VEHICLES_DENSE),),
    ),
    figure_1(
        name="penalty-multiply-adds-veri",
        text="A larger alpha prunes more multiply-adds (VeRi-776)",
        measure=Final(MULTIPLY_ADDS),
        pairs=(Pair(VEHICLES_SPARSE, VEHICLES_DENSE),),
    ),
)
