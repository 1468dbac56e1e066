"""Tables 2 to 4 and Figure 1: the paper's numbers as printed, one budget, shared runs, true relations."""

from functools import cache

import pytest

from cdd.evaluation.cost import cost
from cdd.methods.capacity_dynamic import CapacityDynamic
from cdd.methods.resrep import ResRep
from cdd.methods.supervised import Supervised
from cdd.recipe import Recipe
from experiments.common.settings import SETTINGS
from experiments.registry import find
from experiments.schema.figure import LearningCurves
from experiments.schema.table import Row, Table

# Xie et al., CVPR 2023: method, teacher, student, MP, FLOPs, mAP, R1; a star: re-implemented there.
PAPER = {
    "table2": """
        Fastretri - ResNet50 25.54 8.13 - 91.97
        CCKD* ResNet101 ResNet34 21.54 7.31 80.65 94.78
        VID* ResNet101 ResNet34 21.54 7.31 80.61 94.57
        FT* ResNet101 ResNet34 21.54 7.31 80.51 94.55
        SP* ResNet101 ResNet34 21.54 7.31 80.81 94.89
        AT* ResNet101 ResNet34 21.54 7.31 80.85 94.91
        RKD* ResNet101 ResNet34 21.54 7.31 81.03 94.81
        PKT* ResNet101 ResNet34 21.54 7.31 80.59 94.68
        MBDL* ResNet101 ResNet34 21.54 7.31 80.76 94.71
        DKD* ResNet101 ResNet34 21.54 7.31 80.93 94.86
        CSKD* ResNet101 ResNet34 21.54 7.31 80.65 94.77
        KDPE* ResNet101 ResNet34 21.54 7.31 78.99 94.08
        ResRep* ResNet101 ResNet101 16.27 5.11 79.86 94.68
        CDD+RGGR* ResNet101 ResNet101 14.97 4.68 81.28 95.14""",
    "table3": """
        PVEN - ResNet50 25.54 8.13 79.50 95.60
        ViT-Base* - ViT 86.7 55.6 78.92 95.84
        CCKD* ResNet101 ResNet34 21.54 7.31 76.34 95.23
        VID* ResNet101 ResNet34 21.54 7.31 76.92 95.35
        FT* ResNet101 ResNet34 21.54 7.31 77.18 95.77
        AT* ResNet101 ResNet34 21.54 7.31 77.98 95.41
        SP* ResNet101 ResNet34 21.54 7.31 77.50 95.77
        RKD* ResNet101 ResNet34 21.54 7.31 78.56 95.65
        PKT* ResNet101 ResNet34 21.54 7.31 78.45 95.47
        MBDL* ResNet101 ResNet34 21.54 7.31 77.91 95.53
        DKD* ResNet101 ResNet34 21.54 7.31 76.40 95.59
        CSKD* ResNet101 ResNet34 21.54 7.31 73.60 94.34
        KDPE* ResNet101 ResNet34 21.54 7.31 74.27 94.93
        ResRep* ResNet101 ResNet101 15.87 4.87 77.60 95.11
        CDD+RGGR* ResNet101 ResNet101 14.30 4.46 80.67 96.66
        UMTS ResNet50 ResNet50 25.54 8.13 75.9 95.8
        VKD ResNet50 ResNet50 25.54 8.13 79.17 95.23
        ResRep* ResNet50 ResNet50 11.24 3.83 75.74 94.66
        CDD+RGGR* ResNet50 ResNet50 9.33 3.20 78.75 95.95""",
    "table4": """
        IANet - ResNet50 - - - 75.5
        BINet - ResNet50 - - - 76.1
        CCKD* ResNet101 ResNet34 21.54 5.71 56.65 80.58
        VID* ResNet101 ResNet34 21.54 5.71 56.59 80.06
        FT* ResNet101 ResNet34 21.54 5.71 56.67 80.38
        AT* ResNet101 ResNet34 21.54 5.71 58.70 81.62
        SP* ResNet101 ResNet34 21.54 5.71 57.32 80.37
        RKD* ResNet101 ResNet34 21.54 5.71 57.97 81.02
        PKT* ResNet101 ResNet34 21.54 5.71 57.02 80.31
        MBDL* ResNet101 ResNet34 21.54 5.71 57.18 80.50
        DKD* ResNet101 ResNet34 21.54 5.71 56.95 80.63
        CSKD* ResNet101 ResNet34 21.54 7.31 54.89 79.17
        KDPE* ResNet101 ResNet34 21.54 7.31 52.45 78.18
        ResRep* ResNet101 ResNet101 16.49 3.94 52.69 75.63
        CDD+RGGR* ResNet101 ResNet101 15.00 3.66 60.98 81.68""",
}
COLUMNS = ("MP", "FLOPs", "mAP", "R1")
every_table = pytest.mark.parametrize("name", PAPER)


@cache
def table(name: str) -> Table:
    found = find(name)
    assert isinstance(found, Table)
    return found


def entry_of(row: Row):
    (entry,) = row.entries.values()
    return entry


def trained(name: str, scale: str) -> dict[str, Recipe]:
    return {label: recipe for label, _, recipe in table(name).recipes(scale, 0)}  # type: ignore[arg-type]


def share(network: Recipe, of: Recipe, figure: str) -> float:
    first, second = (
        getattr(cost(r.student, r.data.height, r.data.width, identities=329), figure) for r in (network, of)
    )
    return float(first / second)


@every_table
def test_every_row_and_number_of_the_paper_is_there(name: str) -> None:
    printed = [line.split() for line in PAPER[name].strip().splitlines()]
    assert len(printed) == len(table(name).rows)
    for row, (label, teacher, student, *numbers) in zip(table(name).rows, printed, strict=True):
        assert row.label.partition(",")[0] == label.rstrip("*")
        assert row.texts == (teacher, student)
        assert row.reported == (not label.endswith("*"))
        paper = entry_of(row).paper
        assert [str(paper.get(column, "-")) for column in COLUMNS] == [
            number if number == "-" else str(float(number)) for number in numbers
        ]


@every_table
def test_a_misprinted_number_has_a_footnote(name: str) -> None:
    for row in table(name).rows:
        paper = entry_of(row).paper
        slip = paper.get("MP") == 25.54 or (name == "table4" and paper.get("FLOPs") == 7.31)
        assert bool(slip) == ("slip" in row.note), row.label


@every_table
def test_every_trained_row_has_one_budget(name: str) -> None:
    for scale in ("mini", "bench", "paper"):
        recipes = list(trained(name, scale).values())
        assert len({recipe.schedule for recipe in recipes}) == 1
        assert len({recipe.batch for recipe in recipes}) == 1
        assert len({recipe.augmentation for recipe in recipes}) == 1
        assert len({recipe.data.name for recipe in recipes}) == 1


@every_table
@pytest.mark.parametrize("scale", ["mini", "bench", "paper"])
def test_rows_are_the_networks_that_they_name(name: str, scale: str) -> None:
    backbones = SETTINGS[
        {"table2": "in-shop", "table3": "veri776", "table4": "msmt17"}[name], scale
    ].backbones
    networks = {
        "ResNet101": backbones.heavy,
        "ResNet50": backbones.medium,
        "ResNet34": backbones.light,
        "ViT": backbones.transformer,
    }
    for row in table(name).rows:
        if row.reported:
            continue
        recipe = trained(name, scale)[row.label]
        teacher, student = row.texts
        assert recipe.student == networks[student]
        if isinstance(recipe.method, ResRep):
            assert recipe.teacher is None
            assert recipe.initialisation == recipe.model_copy(
                update={"initialisation": recipe.initialisation.initialisation, "compactors": False}  # type: ignore[union-attr]
                | {"method": Supervised()}
            )
        elif teacher == "-":
            assert recipe.teacher is None
        else:
            assert recipe.teacher is not None
            assert recipe.teacher.student == networks[teacher]


def test_the_light_student_keeps_its_relation_to_the_teacher_at_the_small_scale() -> None:
    for name in PAPER:
        light, heavy = (trained(name, "mini")[label] for label in ("RKD", "CDD+RGGR"))
        assert share(light, heavy, "parameters") == pytest.approx(21.54 / 43.50, abs=0.01)
        assert share(light, heavy, "multiply_adds") == pytest.approx(7.31 / 12.99, abs=0.01)
    medium = trained("table3", "mini")["CDD+RGGR, ResNet50"]
    heavy = trained("table3", "mini")["CDD+RGGR"]
    assert share(medium, heavy, "parameters") == pytest.approx(24.54 / 43.50, abs=0.02)
    assert share(medium, heavy, "multiply_adds") == pytest.approx(8.13 / 12.99, abs=0.02)


def test_tables_share_runs_with_each_other_and_with_table_1() -> None:
    first = {recipe.run_id for _, _, recipe in find("table1").recipes("mini", 0)}
    second, third = trained("table2", "mini"), trained("table3", "mini")
    assert second["CDD+RGGR"].run_id == third["CDD+RGGR"].run_id
    assert second["CDD+RGGR"].run_id in first
    shared = [label for label in second if label in third and second[label].run_id == third[label].run_id]
    assert set(second) - set(shared) == {"CSKD", "ResRep"}  # another weight, another target


def test_figure_1_shows_runs_of_table_3_alone() -> None:
    figure = find("figure1")
    assert isinstance(figure, LearningCurves)
    runs = trained("table3", "mini")
    assert [curve.label for curve in figure.curves] == (
        ["CDD+RGGR", "AT", "RKD", "PKT", "MBDL", "DKD", "CSKD", "KDPE", "CCKD", "VID", "FT", "SP"]
    )
    for label, _, recipe in figure.recipes("mini", 0):
        assert recipe.run_id == runs[label].run_id
    numbers = {row.label: entry_of(row).paper["mAP"] for row in table("table3").rows if not row.reported}
    assert {curve.label: curve.paper for curve in figure.curves}.items() <= numbers.items()
    assert [curve.label for curve in figure.curves if curve.own] == ["CDD+RGGR"]


def test_figure_1_marks_the_epoch_in_which_resetting_starts() -> None:
    figure = find("figure1")
    assert isinstance(figure, LearningCurves)
    (mark,) = figure.marks
    found = {label: recipe for label, _, recipe in figure.recipes("paper", 0)}
    assert mark.epoch(found[mark.curve]) == 21
    with pytest.raises(ValueError, match="only a run with RGGR"):
        mark.epoch(found["RKD"])


def test_resreps_targets_are_the_shares_that_the_paper_reached() -> None:
    full = {"ResNet101": {"table2": 12.99, "table3": 12.99, "table4": 10.15}, "ResNet50": {"table3": 8.13}}
    for name in PAPER:
        for row in table(name).rows:
            if row.label.startswith("ResRep"):
                method = trained(name, "paper")[row.label].method
                assert isinstance(method, ResRep)
                reached = entry_of(row).paper["FLOPs"] / full[row.texts[1]][name]
                assert method.target == pytest.approx(reached, abs=0.001)


def test_cdd_has_no_weight_of_its_own_in_these_tables() -> None:
    for name in PAPER:
        own = [r.method for r in trained(name, "paper").values() if isinstance(r.method, CapacityDynamic)]
        assert own
        assert all(method == own[0] for method in own)
