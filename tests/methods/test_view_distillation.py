"""The losses of VKD."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cdd.losses import logit_divergence
from cdd.methods.view_distillation import (
    distance_matching,
    soft_margin_triplet,
    squared_distances,
    view_logit_divergence,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "methods.json"
LABELS = torch.arange(4).repeat_interleave(3)


def test_rigid_motions_change_no_distance(points):
    rotation, _ = torch.linalg.qr(points.T @ points)
    moved = points @ rotation + 10.0
    torch.testing.assert_close(squared_distances(moved), squared_distances(points))
    torch.testing.assert_close(soft_margin_triplet(moved, LABELS), soft_margin_triplet(points, LABELS))
    assert distance_matching(moved, points) < 1e-20


def test_the_order_of_the_batch_does_not_matter(points, generator):
    order, other = torch.randperm(12, generator=generator), points.flip(1).square()
    expected = soft_margin_triplet(points, LABELS)
    torch.testing.assert_close(soft_margin_triplet(points[order], LABELS[order]), expected)
    matched = distance_matching(points, other)
    torch.testing.assert_close(distance_matching(points[order], other[order]), matched)


def test_four_points_worked_by_hand():
    features = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [0.0, 9.0]], dtype=torch.float64)
    # Hardest positives 3 3 5 5; hardest negatives 4 5 4 9.
    gaps = [3 - 4, 3 - 5, 5 - 4, 5 - 9]
    expected = sum(math.log1p(math.exp(gap)) for gap in gaps) / 4
    assert soft_margin_triplet(features, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(expected)


def test_distances_worked_by_hand():
    # Squared distances 4 and 1, off the diagonal of a 2x2 matrix: half of (9 + 9) / 4.
    student, teacher = torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0, 0.0], [5.0, 1.0]])
    assert distance_matching(student, teacher).item() == pytest.approx(2.25)


def test_identical_images_and_one_identity_give_finite_gradients():
    for features, labels in ((torch.ones(12, 3), LABELS), (torch.randn(12, 3), torch.zeros_like(LABELS))):
        features.requires_grad_()
        soft_margin_triplet(features, labels).backward()
        assert features.grad.isfinite().all()
    assert soft_margin_triplet(features, labels) == 0


def test_a_far_positive_costs_its_distance_without_overflow():
    features = torch.tensor([[0.0], [1e5], [0.0], [1e5]])
    assert soft_margin_triplet(features, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(1e5)


def test_answers_are_softened_with_ten(points):
    torch.testing.assert_close(
        view_logit_divergence(points, points.flip(0)), logit_divergence(points, points.flip(0), 10.0)
    )


def test_no_gradient_reaches_the_teacher(points):
    student, teacher = points.clone().requires_grad_(), points.flip(0).requires_grad_()
    (distance_matching(student, teacher) + view_logit_divergence(student, teacher)).backward()
    assert teacher.grad is None
    assert student.grad.norm() > 0


def test_half_precision_is_computed_in_single(points):
    half = points.half()
    for loss in (soft_margin_triplet(half, LABELS), distance_matching(half, half.flip(0))):
        assert loss.dtype == torch.float32
    found = soft_margin_triplet(half, LABELS)
    torch.testing.assert_close(found, soft_margin_triplet(half.float(), LABELS))


def test_other_numbers_of_rows_are_refused(unchecked_shapes, points):
    with pytest.raises(ValueError, match=r"12 features .* shape \(11,\)"):
        soft_margin_triplet(points, LABELS[1:])
    with pytest.raises(ValueError, match="student has 11 rows and the teacher 12"):
        distance_matching(points[1:], points)


def test_values_and_gradients_equal_the_authors():
    (case,) = [c for c in json.loads(GOLDEN.read_text())["cases"] if c["name"] == "vkd_losses"]
    drawn = {name: golden_input(spec) for name, spec in case["inputs"].items() if name != "labels"}
    features, logits = drawn["emb_s"].requires_grad_(), drawn["logits_s"].requires_grad_()
    labels, hyper = torch.tensor(case["inputs"]["labels"]), case["hyper"]
    parts = {
        "kl": view_logit_divergence(logits, drawn["logits_t"]),
        "similarity": distance_matching(features, drawn["emb_t"]),
        "triplet_soft": soft_margin_triplet(features, labels),
        "ce": F.cross_entropy(logits, labels),
    }
    total = parts["ce"] + parts["triplet_soft"]
    total = total + hyper["lambda_coeff"] * parts["similarity"] + hyper["kl_coeff"] * parts["kl"]
    gradients = torch.autograd.grad(total, [features, logits])
    found = {name: part.item() for name, part in parts.items()} | {"loss": total.item()}
    found["grad_norm_student"], found["grad_norm_logits"] = (g.norm().item() for g in gradients)
    assert found == pytest.approx(case["outputs"], rel=1e-6)


def golden_input(spec):
    values = np.random.default_rng(spec["seed"]).standard_normal(spec["shape"]).astype("float32")
    if "post" in spec:
        values = values * np.float32(spec["post"].removeprefix("mul:"))
    return torch.from_numpy(values).double()
