import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

from cdd.losses import batch_hard_triplet


@pytest.fixture
def features():
    return torch.randn(24, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


LABELS = torch.arange(6).repeat_interleave(4)


def test_the_order_of_the_batch_and_the_names_of_identities_do_not_matter(features):
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    expected = batch_hard_triplet(features, LABELS)
    torch.testing.assert_close(batch_hard_triplet(features[order], LABELS[order]), expected)
    torch.testing.assert_close(batch_hard_triplet(features, 100 - LABELS), expected)


def test_rotation_and_translation_change_nothing_but_scale_does(features):
    rotation, _ = torch.linalg.qr(features.T @ features)
    expected = batch_hard_triplet(features, LABELS)
    torch.testing.assert_close(batch_hard_triplet(features @ rotation + 5.0, LABELS), expected)
    without_margin = batch_hard_triplet(features, LABELS, margin=0.0)
    torch.testing.assert_close(batch_hard_triplet(3 * features, LABELS, margin=0.0), 3 * without_margin)


def test_four_points_worked_by_hand():
    features = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [0.0, 9.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1])
    # Hardest positives 3 3 5 5; hardest negatives 4, 5, 4, 9.
    hinges = [0.0, 0.0, 5 - 4 + 0.35, 0.0]
    assert batch_hard_triplet(features, labels).item() == pytest.approx(sum(hinges) / 4)
    hinges = [3 - 4 + 2, 3 - 5 + 2, 5 - 4 + 2, max(0.0, 5 - 9 + 2)]
    assert batch_hard_triplet(features, labels, margin=2.0).item() == pytest.approx(sum(hinges) / 4)


def test_equals_an_independent_library(features):
    distance = distances.LpDistance(normalize_embeddings=False)
    miner = miners.BatchHardMiner(distance=distance)
    oracle = losses.TripletMarginLoss(margin=0.35, distance=distance, reducer=reducers.MeanReducer())
    expected = oracle(features, LABELS, miner(features, LABELS))
    torch.testing.assert_close(batch_hard_triplet(features, LABELS), expected)


def test_identical_images_give_a_finite_gradient():
    features = torch.ones(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(0.35)
    assert torch.equal(features.grad, torch.zeros(4, 3))


def test_an_identity_that_occurs_once_is_its_own_positive(features):
    lone = batch_hard_triplet(features[:2], torch.tensor([0, 1]), margin=10.0)
    torch.testing.assert_close(lone, 10.0 + 1e-6 - (features[0] - features[1]).norm())


def test_a_batch_of_one_identity_costs_nothing(features):
    features.requires_grad_()
    loss = batch_hard_triplet(features, torch.zeros(24, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert features.grad.isfinite().all()


def test_half_precision_is_computed_in_single(features):
    half = features.half()
    found = batch_hard_triplet(100 * half, LABELS)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, batch_hard_triplet(100 * half.float(), LABELS), rtol=1e-3, atol=0)


def test_another_number_of_labels_is_refused(unchecked_shapes, features):
    with pytest.raises(ValueError, match=r"24 features .* shape \(23,\)"):
        batch_hard_triplet(features, LABELS[:-1])
