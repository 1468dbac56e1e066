"""Variational information distillation: laws, a case by hand, the published code's value."""

import math

import pytest
import torch

from cdd.methods.vid import VID, GaussianRegressor, VariationalDistiller, surprise
from tests.methods.common.test_stage_channels import (
    BASIC,
    built,
    check_golden,
    golden,
    golden_input,
    random_maps,
    term,
)
from tests.small import BACKBONE


@pytest.fixture
def features(generator):
    return torch.randn(3, 4, 20, 10, generator=generator, dtype=torch.float64)


def test_a_right_prediction_costs_half_the_mean_log_variance(features):
    variance = torch.tensor([0.1, 1.0, 2.0, 3.0], dtype=torch.float64)
    assert surprise(features, variance, features).item() == pytest.approx(variance.log().mean().item() / 2)


def test_the_best_mean_is_the_wanted_map(features, generator):
    variance = torch.ones(4, dtype=torch.float64)
    noise = 1e-2 * torch.randn(features.shape, generator=generator, dtype=torch.float64)
    assert surprise(features + noise, variance, features) > surprise(features, variance, features)


def test_the_best_variance_is_the_mean_squared_error(features):
    wanted, best = torch.zeros_like(features), features.square().mean(dim=(0, 2, 3)).requires_grad_()
    (gradient,) = torch.autograd.grad(surprise(features, best, wanted), best)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_surprise_equals_the_normal_density(features):
    variance = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    density = torch.distributions.Normal(torch.zeros_like(features), variance.sqrt()[:, None, None])
    wanted = -density.log_prob(features).mean() - math.log(2 * math.pi) / 2
    torch.testing.assert_close(surprise(torch.zeros_like(features), variance, features), wanted)


def test_surprise_by_hand():
    # Errors 2 and 0 under variances 4 and 1: ((1 + log 4) + (0 + 0)) / 2 values / 2.
    mean = torch.tensor([[[[1.0]], [[5.0]]]])
    wanted = torch.tensor([[[[3.0]], [[5.0]]]])
    found = surprise(mean, torch.tensor([4.0, 1.0]), wanted)
    assert found.item() == pytest.approx((1 + math.log(4)) / 4)


def test_the_variance_starts_at_five():
    torch.testing.assert_close(GaussianRegressor(2, 3).variance(), torch.full((3,), 5.0))


def test_the_variance_stays_above_zero():
    regressor = GaussianRegressor(2, 3)
    torch.nn.init.constant_(regressor.log_scale, -1e4)
    assert (regressor.variance() >= 1e-5).all()


def test_stages_are_summed():
    student, teacher = random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    distiller = built(VID(weight=2.0))
    assert isinstance(distiller, VariationalDistiller)
    triples = zip(distiller.regressors, student, teacher, strict=True)
    singly = torch.stack([regressor(found, wanted) for regressor, found, wanted in triples])
    torch.testing.assert_close(term(distiller, student, teacher), 2 * singly.sum())


def test_scales_and_regressors_are_registered_and_learnt():
    distiller = built(VID())
    before = {name: parameter.detach().clone() for name, parameter in distiller.named_parameters()}
    assert sum(name.endswith("log_scale") for name in before) == 4
    optimiser = torch.optim.SGD(distiller.parameters(), lr=0.1)
    term(distiller, random_maps(BASIC, 1), random_maps(BACKBONE, 2)).backward()
    optimiser.step()
    assert not any(torch.equal(before[name], parameter) for name, parameter in distiller.named_parameters())


def test_regressor_equals_the_published_codes_value():
    case = golden("vid_same")
    student, teacher = golden_input(case, "f_s"), golden_input(case, "f_t")
    regressor = GaussianRegressor(5, 7).double()
    weights = [parameter for name, parameter in regressor.named_parameters() if name.endswith("weight")]
    with torch.no_grad():
        for index, weight in enumerate(weights):
            weight.copy_(golden_input(case, f"w{index}"))
    loss, expected = regressor(student, teacher), case["outputs"]
    check_golden(case, loss, student, tolerance=1e-4)
    scale, last = torch.autograd.grad(loss, (regressor.log_scale, weights[2]))
    assert scale.norm().item() == pytest.approx(expected["grad_norm_log_scale"], rel=1e-4)
    assert last.norm().item() == pytest.approx(expected["grad_norm_w2"], rel=1e-4)
    assert regressor.log_scale[0].item() == pytest.approx(expected["log_scale_init"], rel=1e-6)
