"""Losses against values of the authors' code; `about` and `meta` in tests/golden say how they were made."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cdd.losses import (
    batch_hard_triplet,
    group_lasso,
    group_lasso_gradient,
    identity_loss,
    logit_divergence,
    row_norms,
    tap_distance,
)

GOLDEN = Path(__file__).parents[1] / "golden"
CDD = json.loads((GOLDEN / "cdd.json").read_text())
METHODS = {case["name"]: case for case in json.loads((GOLDEN / "methods.json").read_text())["cases"]}


def method_input(case, name, dtype=torch.float64):
    spec = case["inputs"][name]
    values = np.random.default_rng(spec["seed"]).standard_normal(spec["shape"]).astype("float32")
    for step in spec.get("post", "").split(","):
        if step.startswith("mul:"):
            values = values * np.float32(step[4:])
    return torch.from_numpy(values).to(dtype).requires_grad_()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(200)
    single = np.float32
    student, teacher = (
        torch.from_numpy((3 * rng.standard_normal((24, 10))).astype(single)) for _ in range(2)
    )
    labels = torch.from_numpy(np.repeat(rng.permutation(10)[:6], 4))
    features = torch.from_numpy(rng.standard_normal((24, 32)).astype(single))
    taps = [
        [torch.from_numpy(rng.standard_normal((24, dim)).astype(single)) for dim in (64, 64, 128, 256)]
        for _ in range(2)
    ]
    assert labels.tolist() == CDD["2_losses"]["y"]
    return {
        "student": student.requires_grad_(),
        "teacher": teacher,
        "labels": labels,
        "features": features.requires_grad_(),
        "teacher_taps": taps[0],
        "student_taps": [tap.requires_grad_() for tap in taps[1]],
    }


def test_losses_equal_the_authors_values(batch):
    expected = CDD["2_losses"]["expected"]
    found = {
        "kl_T2": (logit_divergence(batch["student"], batch["teacher"]), batch["student"]),
        "ce_ls_0.1": (identity_loss(batch["student"], batch["labels"]), batch["student"]),
        "triplet_hard_0.35": (batch_hard_triplet(batch["features"], batch["labels"]), batch["features"]),
    }
    for name, (loss, variable) in found.items():
        (gradient,) = torch.autograd.grad(loss, variable)
        assert loss.item() == pytest.approx(expected[name]["value"], rel=1e-5), name
        assert gradient.norm().item() == pytest.approx(expected[name]["grad_norm"], rel=1e-5), name
    (gradient,) = torch.autograd.grad(logit_divergence(batch["student"], batch["teacher"]), batch["student"])
    assert gradient.flatten()[:4].tolist() == pytest.approx(expected["kl_T2"]["grad_first4"], rel=1e-4)


def test_tap_distance_equals_the_authors_sum_and_every_block(batch):
    expected = CDD["2_losses"]["expected"]["dl_sum4"]
    loss = tap_distance(batch["student_taps"], batch["teacher_taps"])
    gradients = torch.autograd.grad(loss, batch["student_taps"])
    assert loss.item() == pytest.approx(expected["value"], rel=1e-5)
    norms = [gradient.norm().item() for gradient in gradients]
    assert norms == pytest.approx(expected["grad_norms"], rel=1e-5)
    blocks = zip(batch["student_taps"], batch["teacher_taps"], strict=True)
    singly = [tap_distance([student], [teacher]).item() for student, teacher in blocks]
    assert singly == pytest.approx(expected["per_block"], rel=1e-5)


def test_the_authors_total_is_the_weighted_sum(batch):
    expected = CDD["2_losses"]["expected"]["make_loss"]
    rng = np.random.default_rng(201)
    drawn = [np.eye(64) + 0.1 * rng.standard_normal((64, 64)) for _ in range(2)]
    kernels = [torch.from_numpy(kernel.astype(np.float32)) for kernel in drawn]
    total = (
        identity_loss(batch["student"], batch["labels"])
        + batch_hard_triplet(batch["features"], batch["labels"])
        + logit_divergence(batch["student"], batch["teacher"])
        + 0.5 * tap_distance(batch["student_taps"], batch["teacher_taps"])
    )
    lasso = 0.004 * group_lasso(kernels).item()
    assert lasso == pytest.approx(expected["compactor_0.004"], rel=1e-5)
    assert total.item() == pytest.approx(expected["total_without_lasso"], rel=1e-5)


def test_group_lasso_equals_the_authors_value_and_gradient():
    expected = CDD["3_glasso"]
    rng = np.random.default_rng(300)
    weight = (np.eye(64) + 0.1 * rng.standard_normal((64, 64))).astype(np.float32)
    weight[5] *= np.float32(1e-4)
    task = (1e-3 * rng.standard_normal((64, 64))).astype(np.float32)
    zero = np.sort(rng.permutation(64)[:20])
    assert zero.tolist() == expected["zero_rows"]
    variable = torch.from_numpy(weight).reshape(64, 64, 1, 1).requires_grad_()
    loss = group_lasso([variable])
    (autograd,) = torch.autograd.grad(loss, variable)
    task[zero] = 0
    masked = torch.from_numpy(task).reshape(64, 64, 1, 1) + 0.004 * group_lasso_gradient(variable)
    assert loss.item() == pytest.approx(expected["lasso_sum"], rel=1e-5)
    for name, found in (
        ("autograd", autograd),
        ("manual_lasso_grad", group_lasso_gradient(variable)),
        ("masked_plus_0p004_lasso", masked),
    ):
        assert found.sum().item() == pytest.approx(expected[name]["sum"], rel=1e-4), name
        assert found.abs().sum().item() == pytest.approx(expected[name]["abs"], rel=1e-4), name
        assert found.flatten()[:8].tolist() == pytest.approx(expected[name]["first8"], rel=1e-4), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distillation_and_identity_equal_the_method_goldens(dtype):
    case = METHODS["kd_T2"]
    student, teacher = method_input(case, "logits_s", dtype), method_input(case, "logits_t", dtype)
    check(case, logit_divergence(student, teacher, 2.0), student)
    case = METHODS["ce_label_smooth"]
    logits = method_input(case, "logits", dtype)
    check(case, identity_loss(logits, torch.tensor(case["inputs"]["labels"]), 0.1), logits)
    case = METHODS["triplet_batch_hard_margin0.35"]
    features = method_input(case, "feat", dtype)
    check(case, batch_hard_triplet(features, torch.tensor(case["inputs"]["labels"]), 0.35), features)


def test_tap_distance_equals_the_method_golden():
    case = METHODS["cdd_dl_blocks"]
    student = [method_input(case, f"s{block}") for block in range(3)]
    teacher = [method_input(case, f"t{block}") for block in range(3)]
    outputs = case["outputs"]
    loss = tap_distance(student, teacher)
    assert loss.item() == pytest.approx(outputs["loss_sum"], rel=1e-6)
    assert tap_distance(student, teacher, "mean").item() == pytest.approx(
        outputs["loss_mean_over_blocks"], rel=1e-6
    )
    (gradient,) = torch.autograd.grad(loss, student[0])
    assert gradient.norm().item() == pytest.approx(outputs["grad_norm_s0"], rel=1e-6)


def test_resrep_group_lasso_equals_the_method_golden():
    case = METHODS["resrep_group_lasso"]
    weight = method_input(case, "compactor", torch.float32)
    assert row_norms(weight).tolist() == pytest.approx(case["outputs"]["row_norms"], rel=1e-5)
    assert group_lasso([weight]).item() == pytest.approx(case["outputs"]["lasso_value"], rel=1e-5)


def check(case, loss, variable):
    (gradient,) = torch.autograd.grad(loss, variable)
    assert loss.item() == pytest.approx(case["outputs"]["loss"], rel=1e-5)
    assert gradient.norm().item() == pytest.approx(case["outputs"]["grad_norm_student"], rel=1e-5)
