"""FitNet's hint: laws and a case by hand."""

import pytest
import torch
from torch import nn

from cdd.methods.fitnet import FitNet, HintDistiller, hint_distance
from tests.methods.common.test_stage_channels import BASIC, built, random_maps, term
from tests.small import BACKBONE


def hint_distiller(method: FitNet, student=BASIC) -> HintDistiller:
    distiller = built(method, student)
    assert isinstance(distiller, HintDistiller)
    return distiller


def test_hint_distance_by_hand():
    # Differences 1, 2, 0 and 3.
    regressed, hint = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), torch.tensor([[[[2.0, 0.0, 3.0, 1.0]]]])
    assert hint_distance(regressed, hint).item() == pytest.approx(14 / 4)


def test_a_regressor_that_changes_nothing_leaves_equal_maps_at_no_distance():
    distiller, maps = hint_distiller(FitNet(), BACKBONE), random_maps(BACKBONE, 1)
    assert term(distiller, maps, maps) > 0
    with torch.no_grad():
        distiller.regressor.weight.copy_(torch.eye(32)[:, :, None, None])
        distiller.regressor.bias.zero_()
    assert term(distiller, maps, maps).item() == 0


def test_only_the_third_stage_counts():
    distiller, student, teacher = hint_distiller(FitNet()), random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    before = term(distiller, student, teacher)
    for stage in (0, 1, 3):
        student[stage], teacher[stage] = 2 * student[stage], 3 * teacher[stage]
    assert torch.equal(term(distiller, student, teacher), before)
    student[2] = 2 * student[2]
    assert not torch.equal(term(distiller, student, teacher), before)


def test_the_term_is_the_weighted_mean_squared_error_of_the_regressed_map():
    distiller, student, teacher = (
        hint_distiller(FitNet(weight=7.0)),
        random_maps(BASIC, 1),
        random_maps(BACKBONE, 2),
    )
    wanted = 7 * nn.functional.mse_loss(distiller.regressor(student[2]), teacher[2])
    torch.testing.assert_close(term(distiller, student, teacher), wanted)


def test_a_regressor_of_the_right_size_learns_a_linear_hint():
    distiller, student = hint_distiller(FitNet(weight=1.0)), random_maps(BASIC, 1)
    teacher = random_maps(BACKBONE, 2)
    mixing = torch.rand(teacher[2].shape[1], student[2].shape[1])
    teacher[2] = torch.einsum("tc,bchw->bthw", mixing, student[2].detach())
    optimiser = torch.optim.Adam(distiller.parameters(), lr=0.05)
    before = term(distiller, student, teacher).item()
    for _ in range(200):
        optimiser.zero_grad()
        term(distiller, student, teacher).backward()
        optimiser.step()
    assert term(distiller, student, teacher).item() < 0.05 * before
