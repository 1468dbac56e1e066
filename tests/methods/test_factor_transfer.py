"""Factor transfer: laws, the paraphraser's stage, a case by hand, the authors' value."""

import pytest
import torch
import torch.nn.functional as F

from cdd.methods.factor_transfer import (
    FT,
    FactorDistiller,
    attention_factor_distance,
    decoder,
    encoder,
    flattened_distance,
)
from tests.methods.common.test_stage_channels import (
    BASIC,
    built,
    check_golden,
    golden,
    golden_input,
    output,
    random_maps,
    term,
)
from tests.small import BACKBONE

BATCHES = 3


@pytest.fixture
def factors(generator):
    return torch.randn(3, 5, 20, 10, generator=generator, dtype=torch.float64)


def teacher_outputs():
    """Maps of one pattern over the channels and random brightness: something that can be paraphrased."""
    generator = torch.Generator().manual_seed(0)
    pattern = torch.randn(32, 1, 1, generator=generator).relu()
    return (output([torch.rand(4, 1, 4, 2, generator=generator) * pattern]) for _ in range(BATCHES))


def factor_distiller(method: FT, student=BASIC, teacher=BACKBONE) -> FactorDistiller:
    distiller = built(method, student, teacher)
    assert isinstance(distiller, FactorDistiller)
    return distiller


@pytest.mark.parametrize("distance", [flattened_distance, attention_factor_distance])
def test_equal_factors_of_any_scale_are_at_no_distance(distance, factors):
    assert distance(factors, factors).item() == 0
    assert distance(9.0 * factors, factors).item() == pytest.approx(0, abs=1e-15)


def test_only_the_flattened_factor_tells_channels_apart(factors):
    moved = factors.roll(1, dims=1)
    assert flattened_distance(moved, factors) > 1e-3
    assert attention_factor_distance(moved, factors).item() == pytest.approx(0, abs=1e-15)


def test_flattened_distance_by_hand():
    # (0.6, 0.8) and (1, 0): differences 0.4 and 0.8.
    student, teacher = torch.tensor([[[[3.0]], [[4.0]]]]), torch.tensor([[[[2.0]], [[0.0]]]])
    assert flattened_distance(student, teacher).item() == pytest.approx(0.6)


def test_attention_distance_by_hand():
    # Attention (0.6, 0.8) from squares 3 and 4; (0, 1) for the other.
    student = torch.tensor([[[[3.0**0.5, 2.0]]]])
    assert attention_factor_distance(student, torch.tensor([[[[0.0, 7.0]]]])).item() == pytest.approx(0.4)


def test_a_translator_equal_to_the_paraphraser_leaves_nothing_to_learn():
    distiller, maps = factor_distiller(FT(), BACKBONE, BACKBONE), random_maps(BACKBONE, 1)
    assert term(distiller, random_maps(BACKBONE, 2), maps) > 0
    distiller.translator.load_state_dict(distiller.paraphraser.state_dict())
    assert term(distiller, maps, maps).item() == 0


def test_decoder_mirrors_the_encoder():
    made = encoder(6, 2)
    maps = torch.randn(2, 6, 8, 4)
    assert made(maps).shape == (2, 2, 8, 4)
    assert decoder(made)(made(maps)).shape == maps.shape
    widths = [(layer.in_channels, layer.out_channels) for layer in decoder(made) if hasattr(layer, "weight")]
    assert widths == [(2, 2), (2, 6), (6, 6)]


@pytest.mark.parametrize(("rate", "channels"), [(0.5, 16), (0.25, 8), (0.001, 1)])
def test_the_rate_sets_the_number_of_factors(rate, channels):
    distiller = factor_distiller(FT(rate=rate))
    assert distiller.paraphraser(random_maps(BACKBONE, 1)[-1]).shape[1] == channels
    assert distiller.translator(random_maps(BASIC, 1)[-1]).shape[1] == channels


def reconstruction(method: FT, monkeypatch) -> tuple[list[float], list[torch.Tensor]]:
    losses, targets = [], []
    l1_loss = F.l1_loss

    def recorded(found, wanted):
        loss = l1_loss(found, wanted)
        losses.append(loss.item())
        targets.append(wanted)
        return loss

    monkeypatch.setattr(F, "l1_loss", recorded)
    factor_distiller(method).prepare(teacher_outputs)
    return losses, targets


def test_preparing_lowers_the_reconstruction_error(monkeypatch):
    losses, targets = reconstruction(FT(paraphraser_epochs=20), monkeypatch)
    for target, given in zip(targets, teacher_outputs(), strict=False):
        assert torch.equal(target, given.stages[-1])
    assert len(losses) == 20 * BATCHES
    assert sum(losses[-BATCHES:]) < 0.6 * sum(losses[:BATCHES])


def test_preparing_repeats_itself_and_changes_the_paraphraser_alone():
    fresh, first, second = (factor_distiller(FT(paraphraser_epochs=2)) for _ in range(3))
    first.prepare(teacher_outputs)
    torch.manual_seed(5)
    second.prepare(teacher_outputs)
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(first.translator.state_dict(), fresh.translator.state_dict(), rtol=0, atol=0)
    pairs = zip(first.paraphraser.parameters(), fresh.paraphraser.parameters(), strict=True)
    assert not any(torch.equal(trained, untrained) for trained, untrained in pairs)


def test_the_paraphraser_is_frozen_before_and_after_preparing():
    distiller = factor_distiller(FT(paraphraser_epochs=1))
    for _ in range(2):
        assert not distiller.paraphraser.training
        term(distiller, random_maps(BASIC, 1), random_maps(BACKBONE, 2)).backward()
        assert all(p.grad is None and not p.requires_grad for p in distiller.paraphraser.parameters())
        assert all(p.grad is not None and p.requires_grad for p in distiller.translator.parameters())
        distiller.prepare(teacher_outputs)


def test_a_restored_distiller_needs_no_preparing():
    prepared, restored = (factor_distiller(FT(paraphraser_epochs=1)) for _ in range(2))
    prepared.prepare(teacher_outputs)
    restored.load_state_dict(prepared.state_dict())
    student, teacher = random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    assert torch.equal(term(prepared, student, teacher), term(restored, student, teacher))


def test_distance_equals_the_authors_value():
    case = golden("ft_factor_original")
    student, teacher = golden_input(case, "fac_s"), golden_input(case, "fac_t")
    check_golden(case, flattened_distance(student, teacher), student)
