"""Claims from Figures 1 and 4 to 6: how the heavy student learns, and what p, K and RGGR do."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, MULTIPLY_ADDS, PARAMETERS
from experiments.schema.claim import (
    ChannelsSaved,
    Claim,
    Comparison,
    DropAtResetting,
    EarlyMean,
    FinalMetric,
    QuotedNumber,
    RecoveryAfterResetting,
    RunRef,
)

LIGHT = ("AT", "RKD", "PKT", "MBDL", "DKD", "CSKD", "KDPE", "CCKD", "VID", "FT", "SP")
"""The curves of Figure 1 with a light student."""
HEAVY = RunRef("figure1", "CDD+RGGR", "VeRi-776")
EARLY = 0.2
"""The text looks at the first 20 of 100 epochs."""
AFTER_START = 0.05
"""The share of the epochs in which the fall is looked for: it says "transient", and no number."""
MOST, LEAST = RunRef("figure4", "p = 70", "In-Shop"), RunRef("figure4", "p = 40", "In-Shop")
VEHICLES_MOST, VEHICLES_LEAST = (RunRef("figure4", f"p = {share}", "VeRi-776") for share in (70, 40))
K1, K2, K3, K4, K5, K6 = (RunRef("figure5", f"K = {count}", "VeRi-776") for count in range(1, 7))
COST_K1, COST_K2, COST_K3, COST_K4, COST_K5, COST_K6 = (
    RunRef("supp-figure2", f"K = {count}", "VeRi-776") for count in range(1, 7)
)
WITHOUT, WITH = RunRef("figure6", "CDD", "In-Shop"), RunRef("figure6", "CDD+RGGR", "In-Shop")

figure_4 = partial(Claim, source="Xie et al., CVPR 2023, Figure 4", where="Section 4.5.2")
figure_1 = partial(Claim, source="Xie et al., CVPR 2023, Figure 1", where="Section 1")
figure_5 = partial(Claim, source="Xie et al., CVPR 2023, Figure 5", where="Section 4.5.2")
figure_6 = partial(Claim, source="Xie et al., CVPR 2023, Figure 6", where="Section 4.6")

FIGURES = (
    figure_1(
        name="heavy-learns-faster",
        text="In the first epochs the heavy student is above every light one (VeRi-776)",
        measure=EarlyMean(MEAN_AVERAGE_PRECISION, EARLY),
        pairs=tuple(Comparison(HEAVY, RunRef("figure1", label, "VeRi-776")) for label in LIGHT),
    ),
    figure_1(
        name="resetting-dips",
        text="When RGGR starts, the accuracy falls for a while (VeRi-776)",
        measure=DropAtResetting(MEAN_AVERAGE_PRECISION, AFTER_START),
        pairs=(Comparison(HEAVY),),
    ),
    figure_1(
        name="resetting-recovers",
        text="It has recovered at the end (VeRi-776)",
        measure=RecoveryAfterResetting(MEAN_AVERAGE_PRECISION, AFTER_START),
        pairs=(Comparison(HEAVY),),
    ),
    figure_4(
        name="ratio-map",
        text="p from 40 to 70 % costs little accuracy (In-Shop)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(MOST, LEAST),),
        relation="no less",
        margin=0.5,
        size=-0.27,
        printed=(QuotedNumber("reduced by 0.27 %", -0.27, "Section 4.5.2"),),
    ),
    figure_4(
        name="ratio-multiply-adds",
        text="p from 40 to 70 % prunes more multiply-adds (In-Shop)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(MOST, LEAST),),
        printed=(QuotedNumber("4.9 G to 4.3 G", 100 * (1 - 4.3 / 4.9), "Section 4.5.2"),),
    ),
    figure_4(
        name="ratio-parameters",
        text="p from 40 to 70 % prunes more parameters (In-Shop)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(MOST, LEAST),),
    ),
    figure_4(
        name="ratio-map-veri",
        text="A larger p costs little accuracy (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(VEHICLES_MOST, VEHICLES_LEAST),),
        relation="no less",
        margin=0.5,
    ),
    figure_4(
        name="ratio-multiply-adds-veri",
        text="A larger p prunes more multiply-adds (VeRi-776)",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(Comparison(VEHICLES_MOST, VEHICLES_LEAST),),
    ),
    figure_4(
        name="ratio-parameters-veri",
        text="A larger p prunes more parameters (VeRi-776)",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(VEHICLES_MOST, VEHICLES_LEAST),),
    ),
    figure_5(
        name="retrieval-helps",
        text="Every K above 1 is better than K = 1, which retrieves nothing (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(
            Comparison(K2, K1),
            Comparison(K3, K1),
            Comparison(K4, K1),
            Comparison(K5, K1),
            Comparison(K6, K1),
        ),
    ),
    figure_5(
        name="neighbours-robust",
        text="Beyond K = 1 the accuracy hardly depends on K (VeRi-776)",
        measure=FinalMetric(MEAN_AVERAGE_PRECISION),
        pairs=(Comparison(K3, K2), Comparison(K4, K2), Comparison(K5, K2), Comparison(K6, K2)),
        relation="same",
        margin=0.5,
    ),
    Claim(
        name="neighbours-cost",
        text="K hardly changes the cost (VeRi-776)",
        source="Xie et al., CVPR 2023, Supplement, Figure 2",
        where="Supplement, Section 1.3",
        measure=FinalMetric(MULTIPLY_ADDS),
        pairs=(
            Comparison(COST_K1, COST_K2),
            Comparison(COST_K3, COST_K2),
            Comparison(COST_K4, COST_K2),
            Comparison(COST_K5, COST_K2),
            Comparison(COST_K6, COST_K2),
        ),
        relation="same",
        margin=2.0,
    ),
    figure_6(
        name="fewer-channels",
        text="RGGR leaves fewer channels behind the 3x3 convolutions (In-Shop)",
        measure=ChannelsSaved(),
        pairs=(Comparison(WITH, WITHOUT),),
    ),
    figure_6(
        name="fewer-channels-late",
        text="In the last block but one (32 of 33) it leaves next to nothing (In-Shop)",
        measure=ChannelsSaved(block=-2),
        pairs=(Comparison(WITH, WITHOUT),),
        size=100 * (1 - 1 / 241),
        printed=(QuotedNumber("from 241 to 1", 100 * (1 - 1 / 241), "Section 4.6"),),
    ),
)
