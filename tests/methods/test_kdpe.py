"""KDPE: the teacher's principal directions, the scaling of its features, and the distance to them."""

import pytest
import torch
from torch import nn

from cdd.contract import CODE, RetrievalOutput
from cdd.methods.kdpe import (
    KDPE,
    FeatureDistiller,
    feature_distance,
    mean_and_covariance,
    pooled_before_relu,
    power_temperature_scaling,
    principal_directions,
    project,
)
from cdd.models.network import RetrievalNetwork
from tests.losses.test_losses_golden import METHODS, method_input
from tests.methods.descent import share_left
from tests.small import BACKBONE

LABELS = torch.arange(8) // 2


def output(values):
    embedding = torch.zeros(len(values), 2)
    return RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding, before_last_relu=values)


def features(batch=8, channels=10, dtype=torch.float32):
    return torch.randn(batch, channels, 4, 2, dtype=dtype)


def prepared():
    distiller = FeatureDistiller(KDPE(), student_dim=4, teacher_dim=10)
    bank = [output(3 + features(16)) for _ in range(3)]
    distiller.prepare(lambda: iter(bank))
    return distiller


def loss(student, teacher, distiller):
    return distiller.terms(output(student), output(teacher), LABELS)["kdpe"]


def test_it_reads_the_maps():
    assert KDPE().reads_maps


def test_it_is_zero_where_the_student_hits_the_target():
    distiller, teacher = prepared(), features()
    projected = project(pooled_before_relu(output(teacher)), distiller.mean, distiller.basis)
    target = power_temperature_scaling(projected)
    assert loss(target[:, :, None, None].expand(-1, -1, 4, 2), teacher, distiller) < 1e-10
    assert loss(features(channels=4), teacher, distiller) > 0.1


def test_the_order_of_the_batch_is_free():
    distiller, student, teacher, order = prepared(), features(channels=4), features(), torch.randperm(8)
    found = loss(student[order], teacher[order], distiller)
    torch.testing.assert_close(found, loss(student, teacher, distiller))


def test_batches_and_a_singular_value_decomposition_give_the_same_directions(points):
    mean, covariance = mean_and_covariance(points.split(5))
    torch.testing.assert_close(mean, points.mean(dim=0))
    _, values, directions = torch.linalg.svd(points - mean, full_matrices=False)
    basis = principal_directions(covariance, 3)
    torch.testing.assert_close((directions[:3] @ basis).abs(), torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(project(points, mean, basis).norm(dim=0), values[:3])
    assert (basis.gather(0, basis.abs().argmax(dim=0, keepdim=True)) > 0).all()


def test_more_directions_than_images_stay_orthonormal(points):
    _, covariance = mean_and_covariance([points[:2]])
    basis = principal_directions(covariance, 5)
    torch.testing.assert_close(basis.T @ basis, torch.eye(5, dtype=torch.float64))


def test_scaling_is_odd_and_keeps_the_order(points):
    scaled = power_temperature_scaling(points)
    torch.testing.assert_close(power_temperature_scaling(-points), -scaled)
    assert torch.equal(scaled.flatten().argsort(), points.flatten().argsort())
    torch.testing.assert_close(power_temperature_scaling(points, 2.0, 1), points / 2)


def test_the_teacher_gets_no_gradient():
    distiller, student, teacher = prepared(), features(2, 4).requires_grad_(), features(2).requires_grad_()
    loss(student, teacher, distiller).backward()
    assert student.grad is not None
    assert teacher.grad is None
    assert list(distiller.parameters()) == []


def test_autocast_changes_nothing():
    distiller, student, teacher = prepared(), features(channels=4), features()
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(student, teacher, distiller)
        half = loss(student.bfloat16(), teacher.bfloat16(), distiller)
    torch.testing.assert_close(found, loss(student, teacher, distiller))
    assert half.dtype == torch.float32


def test_descent_lowers_it():
    distiller, student, teacher = prepared(), features(channels=4).requires_grad_(), features()
    assert share_left(lambda: loss(student, teacher, distiller), [student], 0.05) < 0.7


def test_the_basis_travels_in_the_state_dict():
    distiller, restored = prepared(), FeatureDistiller(KDPE(), student_dim=4, teacher_dim=10)
    restored.load_state_dict(distiller.state_dict())
    student, teacher = features(channels=4), features()
    torch.testing.assert_close(loss(student, teacher, restored), loss(student, teacher, distiller))


def test_real_networks_fit():
    student, teacher = (RetrievalNetwork(BACKBONE, 5) for _ in range(2))
    distiller = KDPE().build(student, teacher, CODE)
    images = torch.randn(8, 3, 16, 16)
    distiller.prepare(lambda: iter([teacher(images, mapped=True)]))
    outputs = student(images, mapped=True), teacher(images, mapped=True)
    distiller.terms(*outputs, LABELS)["kdpe"].backward()
    assert student.backbone.conv1.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_what_is_missing_is_told():
    with pytest.raises(ValueError, match="Identity"):
        KDPE().build(nn.Identity(), RetrievalNetwork(BACKBONE, 5), CODE)
    with pytest.raises(ValueError, match="NoneType"):
        KDPE().build(RetrievalNetwork(BACKBONE, 5), None, CODE)
    with pytest.raises(ValueError, match="no wider"):
        FeatureDistiller(KDPE(), student_dim=11, teacher_dim=10)
    distiller = FeatureDistiller(KDPE(), student_dim=4, teacher_dim=10)
    with pytest.raises(ValueError, match="call prepare"):
        loss(features(channels=4), features(), distiller)
    with pytest.raises(ValueError, match="training images"):
        distiller.prepare(lambda: iter([]))
    with pytest.raises(ValueError, match="needs a teacher"):
        distiller.terms(output(features(channels=4)), None, LABELS)
    with pytest.raises(ValueError, match="maps"):
        pooled_before_relu(RetrievalOutput(*[torch.zeros(8, 2)] * 3))


def test_four_points_on_a_cross_by_hand():
    points = torch.tensor([[4.0, 0.0], [-2.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    mean, covariance = mean_and_covariance([points])
    assert mean.tolist() == [1.0, 0.0]
    torch.testing.assert_close(covariance, torch.tensor([[4.5, 0.0], [0.0, 0.5]], dtype=torch.float64))
    torch.testing.assert_close(principal_directions(covariance, 1), torch.tensor([[1.0], [0.0]]).double())
    # 0.8 / 0.1 = 8, whose cube root is 2.
    torch.testing.assert_close(
        power_temperature_scaling(torch.tensor([[0.8, -0.8, 0.0]])), torch.tensor([[2.0, -2.0, 0.0]])
    )
    assert feature_distance(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]])).item() == 5


def test_it_equals_the_reference_value():
    case = METHODS["kdep"]
    hyper, wanted = case["hyper"], case["outputs"]
    bank, teacher = (method_input(case, name).detach() for name in ("teacher_bank", "f_t"))
    student = method_input(case, "f_s")
    mean, covariance = mean_and_covariance([bank])
    basis = principal_directions(covariance, hyper["dim"])
    spread = project(bank, mean, basis).norm(dim=0)
    assert spread.tolist() == pytest.approx(wanted["singular_values_first8"], rel=1e-6)
    projected = project(teacher, mean, basis)
    target = power_temperature_scaling(projected, hyper["pts_T"], hyper["pts_n"])
    value = feature_distance(student, target)
    (gradient,) = torch.autograd.grad(value, student)
    assert projected.abs().mean().item() == pytest.approx(wanted["projected_abs_mean"], rel=1e-6)
    assert target.abs().mean().item() == pytest.approx(wanted["target_abs_mean"], rel=1e-6)
    assert value.item() == pytest.approx(wanted["loss"], rel=1e-6)
    assert gradient.norm().item() == pytest.approx(wanted["grad_norm_student"], rel=1e-6)
