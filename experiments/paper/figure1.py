"""Figure 1: mAP after every epoch of CDD+RGGR and of eleven distillation methods with a light student."""

from functools import partial

from cdd.methods.attention_transfer import AT
from cdd.methods.capacity_dynamic import CapacityDynamic
from cdd.methods.cckd import CCKD
from cdd.methods.cskd import CSKD
from cdd.methods.factor_transfer import FT
from cdd.methods.kdpe import KDPE
from cdd.methods.mbdl import MBDL
from cdd.methods.pkt import PKT
from cdd.methods.rkd import RKD
from cdd.methods.similarity_preserving import SP
from cdd.methods.vid import VID
from cdd.recipe import Recipe
from experiments.common.columns import MEAN_AVERAGE_PRECISION, VERI_776
from experiments.common.comparison import decoupled
from experiments.common.recipes import cdd_with_resetting, light_student
from experiments.schema.figure import Curve, EpochMarker, LearningCurves


def first_masked_epoch(recipe: Recipe) -> int:
    """The epoch in which RGGR first resets a gradient: 21 in the paper."""
    if not isinstance(recipe.method, CapacityDynamic) or recipe.method.resetting is None:
        raise ValueError("only a run with RGGR has an epoch in which it starts")
    return recipe.method.resetting.after_epoch + 1


FIGURE = LearningCurves(
    name="figure1",
    title="mAP of distillation methods in each epoch on VeRi-776",
    source="Xie et al., CVPR 2023, Figure 1",
    group=VERI_776,
    columns=(MEAN_AVERAGE_PRECISION,),
    curves=(
        Curve(label="CDD+RGGR", recipe=partial(cdd_with_resetting, "veri776"), paper=80.67, own=True),
        Curve(label="AT", recipe=partial(light_student, AT(), "veri776"), paper=77.98),
        Curve(label="RKD", recipe=partial(light_student, RKD(), "veri776"), paper=78.56),
        Curve(label="PKT", recipe=partial(light_student, PKT(), "veri776"), paper=78.45),
        Curve(label="MBDL", recipe=partial(light_student, MBDL(), "veri776"), paper=77.91),
        Curve(label="DKD", recipe=decoupled("veri776"), paper=76.40),
        Curve(label="CSKD", recipe=partial(light_student, CSKD(), "veri776"), paper=73.60),
        Curve(label="KDPE", recipe=partial(light_student, KDPE(), "veri776"), paper=74.27),
        Curve(label="CCKD", recipe=partial(light_student, CCKD(), "veri776"), paper=76.34),
        Curve(label="VID", recipe=partial(light_student, VID(), "veri776"), paper=76.92),
        Curve(label="FT", recipe=partial(light_student, FT(), "veri776"), paper=77.18),
        Curve(label="SP", recipe=partial(light_student, SP(), "veri776"), paper=77.50),
    ),
    marks=(EpochMarker(text="RGGR starts", curve="CDD+RGGR", epoch=first_masked_epoch),),
    notes=(
        "CDD+RGGR trains a student as heavy as the teacher, all other methods a light one (in the paper "
        "ResNet-101 and ResNet-34). The paper's numbers are those of its Table 3, after the last epoch.",
    ),
)
