"""Attention transfer: laws, a case by hand, the authors' value."""

import pytest
import torch

from cdd.methods.attention_transfer import AT, attention, attention_distance, attention_transfer
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
    return torch.randn(3, 5, 20, 10, generator=generator, dtype=torch.float64)


def test_equal_maps_are_at_no_distance(features):
    assert attention_distance(features, features).item() == 0


def test_a_map_attends_to_the_same_places_at_any_scale_sign_and_order_of_channels(features):
    changed = -7.0 * features[:, [4, 2, 0, 1, 3]]
    torch.testing.assert_close(attention(changed), attention(features))
    assert attention_distance(changed, features).item() == pytest.approx(0, abs=1e-30)


def test_attention_has_unit_length_and_a_dark_image_none(features):
    features[1] = 0
    lengths = attention(features).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))


def test_turning_only_the_student_is_seen(features):
    assert attention_distance(features.flip(3), features) > 0


def test_attention_by_hand():
    # Mean squares 1/2 (1 + 1), 4, 0, 0, of length sqrt(17) over the image.
    features = torch.tensor([[[[1.0, 2.0]], [[1.0, 2.0]]]])
    torch.testing.assert_close(attention(features), torch.tensor([[1.0, 4.0]]) / 17**0.5)


def test_distance_by_hand():
    # One looks left, the other right: (1 - 0)^2 and (0 - 1)^2, averaged over two places.
    left, right = torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[0.0, 5.0]]]])
    assert attention_distance(left, right).item() == 1.0


def test_a_larger_map_is_averaged_before_it_is_squared():
    # Averages 0 on the left and 2 on the right; averaged squares would see the left as well.
    larger = torch.tensor([[[[1.0, -1.0, 2.0, 2.0], [-1.0, 1.0, 2.0, 2.0]]]])
    assert attention_distance(larger, torch.tensor([[[[0.0, 1.0]]]])).item() == 0


def test_stages_are_summed():
    student, teacher = random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    pairs = list(zip(student, teacher, strict=True))
    singly = torch.stack([attention_distance(*pair) for pair in pairs])
    torch.testing.assert_close(attention_transfer(pairs), singly.sum())
    torch.testing.assert_close(term(built(AT()), student, teacher), 1000 * singly.sum())


def test_the_distiller_learns_nothing():
    assert list(built(AT()).parameters()) == []


def test_distance_equals_the_authors_value():
    case = golden("at_same")
    student, teacher = golden_input(case, "f_s"), golden_input(case, "f_t")
    check_golden(case, attention_distance(student, teacher), student)
