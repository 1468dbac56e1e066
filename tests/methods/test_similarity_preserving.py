"""Similarity-preserving distillation: laws, a case by hand, the published code's value."""

import pytest
import torch

from cdd.methods.similarity_preserving import SP, similarities, similarity_distance
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
    return torch.randn(4, 5, 20, 10, generator=generator, dtype=torch.float64)


def test_equal_maps_are_at_no_distance(features):
    assert similarity_distance(features, features).item() == 0


def test_similarities_ignore_scale_and_rotations_of_the_flattened_map(features):
    places = torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    moved = -3.0 * features.flatten(1)[:, places].reshape(features.shape)
    torch.testing.assert_close(similarities(moved), similarities(features))


def test_every_row_has_unit_length(features):
    torch.testing.assert_close(similarities(features).norm(dim=1), torch.ones(4, dtype=torch.float64))


def test_a_dark_image_is_like_no_other_and_breaks_no_gradient(features):
    features[1] = 0
    features.requires_grad_()
    assert not similarities(features)[1].any()
    similarity_distance(features, features.detach().flip(0)).backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_large_half_precision_maps_do_not_overflow():
    features = torch.full((2, 64, 20, 10), 30.0, dtype=torch.float16)
    torch.testing.assert_close(similarities(features), torch.full((2, 2), 0.5**0.5))


def test_distance_by_hand():
    # Alike for the student: rows (1, 1) / sqrt(2). Unlike for the teacher: the identity.
    student = torch.ones(2, 1, 1, 1)
    teacher = torch.eye(2)[:, :, None, None]
    wanted = (2 * (1 - 0.5**0.5) ** 2 + 2 * 0.5) / 4
    assert similarity_distance(student, teacher).item() == pytest.approx(wanted)


def test_only_the_last_stage_counts():
    student, teacher = random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    wanted = 3000 * similarity_distance(student[-1], teacher[-1])
    torch.testing.assert_close(term(built(SP()), student, teacher), wanted)


def test_distance_equals_the_published_codes_value():
    case = golden("sp")
    student, teacher = golden_input(case, "f_s"), golden_input(case, "f_t")
    check_golden(case, similarity_distance(student, teacher), student)
