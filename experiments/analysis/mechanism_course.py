"""Accuracy and cost of the rows of Table 1 while they train."""

from functools import partial

from experiments.common.columns import MEAN_AVERAGE_PRECISION, MULTIPLY_ADDS, PARAMETERS, VERI_776
from experiments.common.recipes import cdd, cdd_with_resetting, cdd_without_compactor, teacher
from experiments.paper.figure1 import first_masked_epoch
from experiments.schema.figure import Curve, EpochMarker, LearningCurves

FIGURE = LearningCurves(
    name="mechanism-course",
    title="Accuracy and cost after each epoch",
    source="beyond the paper",
    group=VERI_776,
    columns=(MEAN_AVERAGE_PRECISION, PARAMETERS, MULTIPLY_ADDS),
    curves=(
        Curve(label="Teacher", recipe=partial(teacher, "veri776")),
        Curve(label="CDD w/o DGC", recipe=partial(cdd_without_compactor, "veri776")),
        Curve(label="CDD", recipe=partial(cdd, "veri776")),
        Curve(label="CDD+RGGR", recipe=partial(cdd_with_resetting, "veri776"), own=True),
    ),
    marks=(EpochMarker(text="RGGR starts", curve="CDD+RGGR", epoch=first_masked_epoch),),
    notes=(
        "Cost is that of the network if it were pruned after the epoch; accuracy that of the network as it "
        "trains, before pruning. The teacher is not pruned.",
    ),
)
