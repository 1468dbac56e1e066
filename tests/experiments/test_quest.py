"""QuEST's artifacts: the supplement's numbers and settings, shared runs, sizes that come out as printed."""

import pytest

from cdd.architecture import SmallNetwork
from cdd.contract import Method
from cdd.data.dataset_size import dataset_size
from cdd.evaluation.cost import cost
from cdd.methods.quest.quest import QuEST
from cdd.methods.supervised import Supervised
from cdd.recipe import Augmentation, RandomBatch, Recipe
from experiments.quest import recipes, table1
from experiments.registry import find
from experiments.schema.scale import SCALES, Scale
from experiments.schema.table import Table
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs

NAMES = ("quest-table1", "quest-figure1", "quest-figure2", "quest-transfer")
EMBEDDED: tuple[Scale, ...] = ("mini", "bench")


def runs(name: str, scale: Scale) -> list[tuple[str, str, Recipe]]:
    return find(name).recipes(scale, 0)


def parameters(network: str) -> int:
    return cost(recipes.PAPER_NETWORKS[network], 32, 32, identities=100).parameters


# Jain et al., ECCV 2020, supplement, Table 1; printed numbers are rounded, two of them cut off.
@pytest.mark.parametrize("network", table1.PARAMETERS)
def test_sizes_come_out_as_printed(network: str) -> None:
    printed, counted = table1.PARAMETERS[network], parameters(network) / 1e6
    if network in table1.TRUNCATED:
        assert printed == int(counted * 100) / 100 != round(counted, 2)
    else:
        assert printed == pytest.approx(counted, abs=0.05 if network == "ResNet50" else 0.005)


@pytest.mark.parametrize("pair", table1.PAIRS)
def test_compressions_come_out_to_two_decimals(pair: tuple[str, str, float, float, float, float]) -> None:
    teacher, student, compression, *_ = pair
    assert round(100 * (1 - parameters(student) / parameters(teacher)), 2) == compression


def test_every_pair_has_its_three_runs_and_networks_are_trained_once() -> None:
    table = find("quest-table1")
    assert isinstance(table, Table)
    assert len(table.rows) == 13
    for scale in SCALES:
        found = runs("quest-table1", scale)
        assert len(found) == 39
        assert len({recipe.run_id for _, _, recipe in found}) == 6 + 9 + 13
        for label, group, recipe in found:
            assert recipe.student == _network(label, group, scale)
            assert (recipe.teacher is not None) == (group == "QuEST")
            if recipe.teacher:
                assert recipe.teacher.student == _network(label, "teacher", scale)


def _network(label: str, group: str, scale: Scale) -> SmallNetwork:
    teacher, student = label.split(" to ")
    return recipes.CLASSIFIED["cifar100", scale].networks[teacher if group == "teacher" else student]


def test_students_are_smaller_than_their_teachers_at_every_scale() -> None:
    for scale in SCALES:
        classes = dataset_size(recipes.CLASSIFIED["cifar100", scale].data).identities
        for _, _, recipe in runs("quest-table1", scale):
            if recipe.teacher:
                sizes = [
                    cost(network, 32, 32, identities=classes).parameters
                    for network in (recipe.student, recipe.teacher.student)
                ]
                assert sizes[0] < sizes[1]


# Supplement, Section C.1.
def test_the_paper_scale_is_section_c_1() -> None:
    for label, group, recipe in runs("quest-table1", "paper"):
        network = label.split(" to ")[0 if group == "teacher" else 1]
        schedule = recipe.schedule
        assert (recipe.data.name, recipe.data.height, recipe.data.width) == ("cifar100", 32, 32)
        assert recipe.batch == RandomBatch(size=64)
        assert (schedule.epochs, schedule.milestones, schedule.decay) == (240, (150, 180, 210), 0.1)
        slow = network in ("MobileNetV2", "ShuffleNetV1", "ShuffleNetV2")
        assert schedule.peak_learning_rate == (0.01 if slow else 0.05)
        assert recipe.method == (QuEST(words=4096, temperature=0.2) if recipe.teacher else Supervised())
    for _, _, recipe in runs("quest-figure1", "paper"):
        schedule = recipe.schedule
        assert recipe.data.name == "cifar10"
        assert recipe.batch == RandomBatch(size=128)
        assert (schedule.epochs, schedule.peak_learning_rate) == (200, 0.1)
        assert schedule.milestones == pytest.approx((60, 120, 160))
        assert schedule.decay == 0.2
        assert isinstance(recipe.method, Supervised) or _words(recipe.method).temperature == 0.005


def _words(method: Method) -> QuEST:
    assert isinstance(method, QuEST)
    return method


# Supplement, Section C.2.
def test_transfer_learning_is_section_c_2() -> None:
    found = {(label, group): recipe for label, group, recipe in runs("quest-transfer", "paper")}
    for label, images, beta in (("ResNet18", 128, 10.0), ("VGG9", 32, 20.0)):
        recipe = found[label, "QuEST"]
        method = _words(recipe.method)
        assert (method.weight, method.words, method.maps, method.certainty) == (beta, 4096, "last two", 0.996)
        assert (method.temperature, method.learns_scale, method.bias) == (None, False, True)
        assert recipe.batch == RandomBatch(size=images)
        assert (recipe.schedule.epochs, recipe.schedule.milestones) == (200, (150,))
        assert recipe.schedule.peak_learning_rate == 0.05
        assert recipe.teacher == found[label, "teacher"]
        assert recipe.teacher is not None
        assert recipe.teacher.initialisation == "imagenet"


@pytest.mark.parametrize("name", NAMES)
def test_classification_has_neither_triplets_nor_erasing_nor_soft_labels(name: str) -> None:
    for scale in SCALES:
        for _, _, recipe in runs(name, scale):
            objective = recipe.objective
            assert (objective.triplet_weight, objective.label_smoothing, objective.logit_weight) == (0, 0, 0)
            assert recipe.augmentation == Augmentation(padding=recipe.data.height // 8, erasing=0)
            assert recipe.data.use == "classification"
            assert recipe.precision == "mixed"
            fidelity = recipe.fidelity
            assert (fidelity.neck_learning_rate_factor, fidelity.teacher_batch_norm) == (1.0, "running")


def test_the_figures_reuse_the_tables_runs() -> None:
    for scale in SCALES:
        table = {recipe.run_id for _, _, recipe in runs("quest-table1", scale)}
        ((_, _, shown),) = runs("quest-figure2", scale)
        assert shown.run_id in table
        teachers = {recipe.teacher.run_id for _, _, recipe in runs("quest-figure1", scale) if recipe.teacher}
        assert len(teachers) == 1
    words = [_words(recipe.method).words for _, _, recipe in runs("quest-figure1", "mini") if recipe.teacher]
    assert words == sorted(words)
    assert len(set(words)) == 6


def test_a_plan_says_which_of_a_pairs_networks_a_run_is() -> None:
    names = {requested.name for requested in requested_runs(find("quest-table1"), "mini", [0], parse([]))}
    assert {"VGG13 to VGG8: teacher", "VGG13 to VGG8: student", "VGG13 to VGG8: QuEST"} <= names
    assert {requested.name for requested in requested_runs(find("table1"), "mini", [0], parse([]))} == {""}
