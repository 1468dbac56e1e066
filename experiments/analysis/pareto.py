"""Accuracy against cost of every run that the tables and sweeps train."""

from cdd.architecture import VisionTransformer
from cdd.methods.capacity_dynamic import CapacityDynamic, WeightGuided
from cdd.methods.resrep import ResRep
from cdd.methods.supervised import Supervised
from cdd.recipe import Recipe
from experiments.common.columns import IN_SHOP, MEAN_AVERAGE_PRECISION, MSMT17, MULTIPLY_ADDS, VERI_776
from experiments.paper import (
    figure4,
    figure5,
    supp_figure1,
    supp_figure2,
    supp_table1,
    supp_table2,
    table1,
    table2,
    table3,
    table4,
    table5,
)
from experiments.schema.figure import TradeoffScatter


def family(recipe: Recipe) -> str:
    """What kind of method made the network."""
    method = recipe.method
    if isinstance(recipe.student, VisionTransformer):
        return "vision transformer"
    if isinstance(method, ResRep) or recipe.continues_pruned:
        return "ResRep"
    if isinstance(method, CapacityDynamic):
        if method.resetting is None:
            return "CDD"
        return "CDD+CWGR" if isinstance(method.resetting, WeightGuided) else "CDD+RGGR"
    return "labels alone" if isinstance(method, Supervised) else "distilled light student"


FIGURE = TradeoffScatter(
    name="pareto",
    title="Accuracy against cost of every run",
    source="beyond the paper",
    groups=(IN_SHOP, VERI_776, MSMT17),
    artifacts=(
        *(table1.TABLE, table2.TABLE, table3.TABLE, table4.TABLE, table5.TABLE),
        *(supp_table1.TABLE, supp_table2.TABLE, figure4.FIGURE, figure5.FIGURE),
        *(supp_figure1.FIGURE, supp_figure2.FIGURE),
    ),
    cost=MULTIPLY_ADDS,
    accuracy=MEAN_AVERAGE_PRECISION,
    family=family,
    notes=(
        "Every run of Tables 1 to 5, of the supplement's tables and of the sweeps. The line is the Pareto "
        "front: no run is at once cheaper and more accurate than one on it.",
    ),
)
