"""Figure of the norms of the compactors' rows over the epochs, against the pruning threshold."""

from functools import partial

from cdd.methods.capacity_dynamic import CapacityDynamic
from cdd.recipe import Recipe
from experiments.common.columns import VERI_776
from experiments.common.recipes import cdd, cdd_with_resetting, cdd_with_weight_guided_resetting
from experiments.schema.figure import Curve, QuantileBands


def pruning_threshold(recipe: Recipe) -> float:
    """lambda of Section 3.1.2."""
    if not isinstance(recipe.method, CapacityDynamic):
        raise ValueError(f"{type(recipe.method).__name__} has no rows that are pruned by their norm")
    return recipe.method.threshold


FIGURE = QuantileBands(
    name="mechanism-norms",
    title="Norms of the compactors' rows over the epochs",
    source="beyond the paper",
    group=VERI_776,
    curves=(
        Curve(label="CDD", recipe=partial(cdd, "veri776")),
        Curve(label="CDD+RGGR", recipe=partial(cdd_with_resetting, "veri776")),
        Curve(label="CDD+CWGR", recipe=partial(cdd_with_weight_guided_resetting, "veri776")),
    ),
    metric="row_norm",
    quantity="norm of a row",
    limit=pruning_threshold,
    limit_text="pruned below",
    notes=(
        "A row that the lasso has driven to zero swings about it by the learning rate times the lasso's "
        "weight; it stays below the pruning threshold only when the learning rate is nearly zero.",
    ),
)
