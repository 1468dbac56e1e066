"""Table 5 and the supplement's tables: the paper's numbers, shared runs, what each row differs in."""

import pytest

from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided, WeightGuided
from cdd.methods.knowledge_distillation import KD
from cdd.methods.resrep import ResRep
from cdd.recipe import Recipe
from experiments.registry import find
from experiments.schema.scale import SCALES
from experiments.schema.table import Table

# Xie et al., CVPR 2023, Table 5 and supplement: MP (M), FLOPs (G), mAP (%), R1 (%).
PAPER = {
    "table5": {
        "ResRep": (14.85, 3.59, 51.17, 74.61),
        "Self-KD + ResRep": (14.82, 3.59, 56.17, 78.30),
        "CDD+RGGR": (15.00, 3.66, 60.98, 81.68),
    },
    "supp-table1": {
        "standard retrieval strategy": (14.56, 4.56, 80.28, 96.13),
        "role-cross retrieval strategy": (14.30, 4.46, 80.67, 96.66),
    },
    "supp-table2": {
        "CDD": (18.59, 5.77, 80.36, 96.48),
        "CDD+CWGR": (14.35, 4.46, 79.41, 95.71),
        "CDD+RGGR": (14.30, 4.46, 80.67, 96.66),
    },
}


def table(name: str) -> Table:
    found = find(name)
    assert isinstance(found, Table)
    return found


def runs(name: str, scale: str = "mini") -> dict[str, Recipe]:
    return {label: recipe for label, _, recipe in find(name).recipes(scale, 0)}  # type: ignore[arg-type]


def start(recipe: Recipe) -> Recipe:
    assert isinstance(recipe.initialisation, Recipe)
    return recipe.initialisation


@pytest.mark.parametrize("name", PAPER)
def test_every_row_and_number_of_the_paper_is_there(name: str) -> None:
    assert [row.label for row in table(name).rows] == list(PAPER[name])
    for row in table(name).rows:
        (entry,) = row.entries.values()
        assert tuple(entry.paper[column] for column in ("MP", "FLOPs", "mAP", "R1")) == PAPER[name][row.label]


def test_two_stages_are_three_runs_that_start_from_each_other() -> None:
    for scale in SCALES:
        last = runs("table5", scale)["Self-KD + ResRep"]
        pruned, distilled = start(last), start(start(last))
        assert isinstance(last.method, KD)
        assert last.continues_pruned
        assert last.schedule.epochs == round(pruned.schedule.epochs / 6)
        assert isinstance(pruned.method, ResRep)
        assert pruned.teacher is None
        assert pruned.method.target == pytest.approx(3.59 / 10.15, abs=0.001)
        assert isinstance(distilled.method, CapacityDynamic)
        assert (distilled.method.sparsity, distilled.compactors) == (0.0, False)
        assert distilled.teacher is not None
        assert distilled.student == distilled.teacher.student


def test_ablations_share_their_runs_with_the_other_tables() -> None:
    assert runs("table5")["CDD+RGGR"] == runs("table4")["CDD+RGGR"]
    first = {recipe.run_id for recipe in runs("table1").values()}
    shared = [
        runs("supp-table1")["role-cross retrieval strategy"],
        *(runs("supp-table2")[label] for label in ("CDD", "CDD+RGGR")),
    ]
    assert {recipe.run_id for recipe in shared} <= first


def test_rows_of_the_supplement_differ_in_the_resetting_alone() -> None:
    for scale in SCALES:
        compared = runs("supp-table1", scale) | runs("supp-table2", scale)
        methods = {label: recipe.method for label, recipe in compared.items()}
        assert all(isinstance(method, CapacityDynamic) for method in methods.values())
        resetting = {label: method.resetting for label, method in methods.items()}  # type: ignore[attr-defined]
        guided = resetting["CDD+RGGR"]
        assert isinstance(guided, RetrievalGuided)
        assert resetting["standard retrieval strategy"] == guided.model_copy(update={"query": "student"})
        assert isinstance(resetting["CDD+CWGR"], WeightGuided)
        assert resetting["CDD+CWGR"].after_epoch == guided.after_epoch
        assert resetting["CDD"] is None
        for method in methods.values():
            assert method.model_copy(update={"resetting": None}) == methods["CDD"]
