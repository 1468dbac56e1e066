"""ResRep: where its compactors stand, when rows lose their gradient, what they cost, what is deployed."""

import numpy as np
import pytest
import torch

from cdd.compactor.deploy import deploy
from cdd.compactor.insert import compactors, insert_compactors
from cdd.compactor.multiply_adds import MultiplyAdds
from cdd.contract import CODE
from cdd.evaluation.cost import cost
from cdd.methods.resrep import ResRep
from cdd.models.network import RetrievalNetwork
from cdd.models.zoo import RESNETS
from cdd.training.optimiser import build_optimiser
from tests.small import BACKBONE, teacher_recipe

LABELS = torch.tensor([0, 0, 1, 1])


def network(*, both=True):
    built = RetrievalNetwork(BACKBONE, 5)
    insert_compactors(built, both=both)
    with torch.no_grad():
        for compactor in compactors(built):
            compactor.weight.add_(0.1 * torch.randn_like(compactor.weight))
    return built


def stepped(distiller, student):
    """One step up to the optimiser: a loss that every row of every compactor feels."""
    images = torch.randn(4, 3, 32, 16)
    output = student(images, mapped=True)
    assert distiller.terms(output, None, LABELS) == {}
    student.zero_grad()
    output.logits.square().sum().backward()
    distiller.edit_gradients()


def test_a_student_without_compactors_is_refused():
    with pytest.raises(ValueError, match="compactors=both"):
        ResRep().build(RetrievalNetwork(BACKBONE, 5), None, CODE)


@pytest.mark.parametrize("both", [False, True])
def test_multiply_adds_are_the_convolutions_and_linear_layers_of_the_deployed_network(both):
    student = network(both=both)
    with torch.no_grad():
        sizes = [
            m.shape[2] * m.shape[3] for m in student.eval()(torch.zeros(1, 3, 32, 48), mapped=True).stages
        ]
    found = MultiplyAdds(student, sizes)
    for kept in (found.full, np.maximum(found.full // 2, 1), np.ones_like(found.full)):
        parts = cost(BACKBONE, 32, 48, channels=kept.tolist(), identities=5).breakdown
        assert found(kept) == parts["convolution"] + parts["linear"]


def test_multiply_adds_of_resnet_50_count_its_pooled_stem():
    with torch.device("meta"):
        student = RetrievalNetwork(RESNETS["resnet50"], 5)
        insert_compactors(student, both=True)
    found = MultiplyAdds(student, [64 * 64, 32 * 32, 16 * 16, 16 * 16])
    parts = cost(RESNETS["resnet50"], 256, 256, identities=5).breakdown
    assert found(found.full) == parts["convolution"] + parts["linear"]


def test_no_row_is_masked_before_its_epoch_and_then_only_every_interval():
    student = network()
    distiller = ResRep(target=0.1, after_epoch=1, interval=2, growth=3).build(student, None, CODE)
    masked = []
    for epoch in (1, 2):
        distiller.start_epoch(epoch)
        for _ in range(4):
            stepped(distiller, student)
            masked.append(sum(int((~mask).sum()) for mask in distiller.masks.kept()))
    assert masked == [0, 0, 0, 0, 0, 3, 3, 6]


def test_a_masked_row_feels_the_penalty_alone_and_every_row_feels_it():
    student = network()
    distiller = ResRep(after_epoch=0, interval=1, growth=5, sparsity=0.25).build(student, None, CODE)
    distiller.start_epoch(1)
    stepped(distiller, student)
    for weight, mask in zip(distiller.weights, distiller.masks.kept(), strict=True):
        assert weight.grad is not None
        lasso = 0.25 * torch.nn.functional.normalize(weight.flatten(1), dim=1)
        torch.testing.assert_close(weight.grad.flatten(1)[~mask], lasso[~mask])
        assert not torch.allclose(weight.grad.flatten(1)[mask], lasso[mask], atol=1e-6)


def test_its_compactors_have_their_own_momentum_and_no_weight_decay():
    student = network()
    recipe = teacher_recipe(compactors="both", method=ResRep())
    optimiser = build_optimiser(student, ResRep().build(student, None, CODE), recipe)
    own = {id(compactor.weight) for compactor in compactors(student)}
    (group,) = [g for g in optimiser.param_groups if {id(p) for p in g["params"]} & own]
    assert {id(p) for p in group["params"]} == own
    assert (group["momentum"], group["weight_decay"]) == (0.99, 0.0)
    assert all(g["momentum"] == 0.9 for g in optimiser.param_groups if g is not group)


def test_rows_below_the_threshold_go_from_both_convolutions():
    student = network().eval()
    with torch.no_grad():
        compactors(student)[0].weight[[1, 2]] = 0
        compactors(student)[3].weight[0] = 0
    distiller = ResRep().build(student, None, CODE)
    deployed = deploy(student, BACKBONE, distiller.kept_channels())
    widths = [(b.conv1.out_channels, b.conv2.out_channels) for b in deployed.bottlenecks]
    assert widths == [(2, 4), (4, 3), (8, 8), (8, 8)]
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(deployed(images).embedding, student(images).embedding, rtol=1e-4, atol=1e-4)


def test_the_share_of_multiply_adds_that_masks_leave_is_reported():
    student = network()
    distiller = ResRep(after_epoch=0, interval=1, growth=100, target=0.6).build(student, None, CODE)
    distiller.start_epoch(1)
    assert "masked/multiply_adds_left" not in distiller.report(0.1)
    stepped(distiller, student)
    figures = distiller.report(0.1)
    assert 0.3 < figures["masked/multiply_adds_left"] <= 0.6
    assert 0 < figures["masked/share"] < 1
    assert figures["channels/kept"] == sum(len(mask) for mask in distiller.masks.kept())
