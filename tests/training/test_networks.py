"""How a run's networks start, and which parameters train how fast."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cdd.compactor import Compactor
from cdd.compactor.insert import compactors
from cdd.contract import PAPER, Distiller
from cdd.errors import DataError
from cdd.models.network import RetrievalNetwork
from cdd.training.networks import build_student, load_teacher, set_teacher_mode
from cdd.training.optimiser import build_optimiser, set_learning_rates
from tests.small import BACKBONE, student_recipe, teacher_recipe

IDENTITIES = 5


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    network = build_student(teacher_recipe(seed=9), IDENTITIES, {})
    # Running statistics away from their start, so that loading them matters.
    network(torch.randn(8, 3, 16, 16))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    return {teacher_recipe().run_id: tmp_path / "weights.pt"}


def test_a_student_starts_from_the_pretrained_backbone_but_its_own_neck(weights: dict[str, Path]) -> None:
    base = teacher_recipe()
    before = base.model_copy(update={"data": base.data.model_copy(update={"use": "pretraining"})})
    recipe = student_recipe(initialisation=before)
    stored = torch.load(weights[base.run_id])
    student = build_student(recipe, IDENTITIES, {before.run_id: weights[base.run_id]}).state_dict()
    assert all(torch.equal(student[name], stored[name]) for name in stored if name.startswith("backbone."))
    assert not torch.equal(student["neck.2.weight"], stored["neck.2.weight"])


def test_a_student_that_continues_a_base_starts_as_exactly_that_network(weights: dict[str, Path]) -> None:
    recipe = teacher_recipe(initialisation=teacher_recipe(), compactors="both")
    student = build_student(recipe, IDENTITIES, weights)
    stored = torch.load(weights[teacher_recipe().run_id])
    assert all(torch.equal(student.state_dict()[name], stored[name]) for name in stored)
    assert len(compactors(student)) == 2 * len(student.bottlenecks)


def test_inserted_compactors_change_no_output(weights: dict[str, Path]) -> None:
    images = torch.randn(4, 3, 16, 16)
    plain, compacted = (
        build_student(teacher_recipe(compactors=compactors), IDENTITIES, {}).eval()
        for compactors in (False, True)
    )
    assert sum(isinstance(module, Compactor) for module in compacted.modules()) == 4
    torch.testing.assert_close(compacted(images).embedding, plain(images).embedding)


def test_the_teacher_has_all_stored_weights_and_no_gradient(weights: dict[str, Path]) -> None:
    teacher = load_teacher(teacher_recipe(), IDENTITIES, weights)
    stored = torch.load(weights[teacher_recipe().run_id])
    assert all(torch.equal(value, stored[name]) for name, value in teacher.state_dict().items())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_missing_teacher_weights_name_the_run() -> None:
    with pytest.raises(DataError, match=teacher_recipe().run_id):
        load_teacher(teacher_recipe(), IDENTITIES, {})


@pytest.mark.parametrize("batch_statistics", [True, False])
def test_a_teachers_running_statistics_never_move(batch_statistics: bool, weights: dict[str, Path]) -> None:
    teacher = load_teacher(teacher_recipe(), IDENTITIES, weights)
    before = {name: value.clone() for name, value in teacher.state_dict().items() if "running" in name}
    set_teacher_mode(teacher, batch_statistics=batch_statistics)
    first, second = torch.randn(8, 3, 16, 16), torch.randn(8, 3, 16, 16)
    alone = teacher(first).embedding
    together = teacher(torch.cat([first, second])).embedding[:8]
    assert torch.allclose(alone, together, atol=1e-5) != batch_statistics
    assert all(torch.equal(teacher.state_dict()[name], value) for name, value in before.items())


def rates(recipe_fidelity: object) -> dict[str, tuple[float, float]]:
    recipe = student_recipe(fidelity=recipe_fidelity) if recipe_fidelity else student_recipe()
    student = build_student(recipe, IDENTITIES, {})
    optimiser = build_optimiser(student, Distiller(), recipe)
    set_learning_rates(optimiser, recipe.schedule, finished_epochs=1)
    names = {id(parameter): name for name, parameter in student.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"] / 0.05, group["weight_decay"])
        for group in optimiser.param_groups
        for parameter in group["params"]
    }


def test_groups_of_the_release() -> None:
    found = rates(None)
    assert len(found) == len(list(build_student(student_recipe(), IDENTITIES, {}).parameters()))
    head = {name for name, (rate, _) in found.items() if rate == pytest.approx(1.5)}
    # The six tensors of the authors' ClassBlock: two batch norms, a linear layer, the classifier.
    assert head == {
        "neck.0.weight", "neck.0.bias", "neck.2.weight", "neck.3.weight", "neck.3.bias", "classifier.weight"
    }  # fmt: skip
    assert {decay for _, decay in found.values()} == {5e-4}


def test_groups_of_the_text() -> None:
    found = rates(PAPER)
    assert all(rate == pytest.approx(1.0) for rate, _ in found.values())
    assert {name for name, (_, decay) in found.items() if decay == 0} == {
        name for name in found if name.endswith("compactor.weight")
    }


def test_what_a_distiller_learns_is_trained_too() -> None:
    class WithAdapter(Distiller):
        def __init__(self) -> None:
            super().__init__()
            self.adapter = nn.Linear(2, 2)

    student, distiller = RetrievalNetwork(BACKBONE, IDENTITIES), WithAdapter()
    optimiser = build_optimiser(student, distiller, teacher_recipe())
    trained = {id(parameter) for group in optimiser.param_groups for parameter in group["params"]}
    assert {id(parameter) for parameter in distiller.parameters()} <= trained
