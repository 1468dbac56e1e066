"""RGGR and its gradient step against values of the authors' code; tests/golden says how they were made."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cdd.gradients import RetrievalGuidedResetting, reset_gradient, unimportant_channels
from cdd.losses import group_lasso, row_norms

GOLDEN = Path(__file__).parents[1] / "golden"
RGGR = json.loads((GOLDEN / "cdd.json").read_text())["1_rggr"]["cases"]
METHODS = {case["name"]: case for case in json.loads((GOLDEN / "methods.json").read_text())["cases"]}
DISTANCE = {"cosine": "cosine", "l2": "euclidean"}


def rggr_batches(case):
    rng = np.random.default_rng(case["seed"])
    single = np.float32
    centres = rng.standard_normal((6, 64)).astype(single)
    order, identities = rng.permutation(64), np.arange(24) // 4
    for batch in range(6):
        teacher = centres[identities] + single(0.5) * rng.standard_normal((24, 64)).astype(single)
        noise = rng.standard_normal((24, 64)).astype(single)
        student = noise if case["empty"] else teacher + single(0.3) * noise
        if not case["empty"]:
            student[:, order[:16]] *= single(1e-3)
            student[:, order[16 + 4 * batch : 20 + 4 * batch]] *= single(1e-2)
        yield torch.from_numpy(student), torch.from_numpy(teacher)


@pytest.mark.parametrize("case", RGGR, ids=lambda case: f"seed{case['seed']}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masks_are_the_authors(case, dtype):
    options = {"neighbours": case["K"], "ratio": case["ratio"], "distance": DISTANCE[case["dist"]]}
    options["similarity_dtype"] = dtype
    resetting = RetrievalGuidedResetting((64,), capacity=96, **options)
    queue = torch.zeros(0, 64)
    for number, (student, teacher) in enumerate(rggr_batches(case), start=1):
        if number == 1:
            assert student.sum().item() == pytest.approx(case["check_first_batch"]["s_sum"], abs=1e-3)
        queue = torch.cat((queue, teacher))[-96:]
        mask = unimportant_channels(student, teacher, queue, **options)
        assert mask.nonzero().flatten().tolist() == case["intersection_per_batch"][number - 1]
        resetting.update([student], [teacher])
        if expected := case["mask_zero_after"].get(str(number)):
            assert (~resetting.kept()[0]).nonzero().flatten().tolist() == expected


def method_input(case, name):
    spec = case["inputs"][name]
    values = np.random.default_rng(spec["seed"]).standard_normal(spec["shape"]).astype("float32")
    if spec.get("post", "").startswith("mul:"):
        values = values * np.float32(spec["post"][4:])
    return torch.from_numpy(values)


def test_masks_of_two_blocks_are_the_method_golden():
    case = METHODS["cdd_rggr_masks_cosine"]
    resetting = RetrievalGuidedResetting((8, 16), capacity=6, neighbours=2, ratio=0.5)
    for step, expected in enumerate(case["outputs"]["history"]):
        names = ([f"{side}_{step}_{block}" for block in (0, 1)] for side in "st")
        resetting.update(*([method_input(case, name) for name in side] for side in names))
        assert [(~kept).nonzero().flatten().tolist() for kept in resetting.kept()] == expected["zero_idx"]


def test_three_optimiser_steps_are_the_method_golden():
    case = METHODS["cdd_gradient_step"]
    hyper, expected = case["hyper"], case["outputs"]
    weight = torch.nn.Parameter(method_input(case, "dgc"))
    assert group_lasso([weight]).item() == pytest.approx(expected["lasso_value"], rel=1e-5)
    optimiser = torch.optim.SGD(
        [weight], lr=hyper["lr"], momentum=hyper["momentum"], weight_decay=hyper["wd"]
    )
    kept = torch.tensor(hyper["mask"]).bool()
    for step in range(3):
        weight.grad = method_input(case, "task_grad")
        reset_gradient(weight, kept, hyper["alpha"])
        if step == 0:
            assert weight.grad.norm().item() == pytest.approx(expected["grad_step1_norm"], rel=1e-5)
            norms = row_norms(weight.grad).tolist()
            assert norms == pytest.approx(expected["grad_step1_row_norms"], rel=1e-5)
        optimiser.step()
    assert row_norms(weight).tolist() == pytest.approx(expected["weight_after3_row_norms"], rel=1e-5)
    assert weight.norm().item() == pytest.approx(expected["weight_after3_norm"], rel=1e-5)


def test_resrep_gradient_is_the_method_golden():
    case = METHODS["resrep_group_lasso"]
    weight = torch.nn.Parameter(method_input(case, "compactor"))
    weight.grad = method_input(case, "task_grad")
    kept = torch.ones(6, dtype=torch.bool)
    kept[case["hyper"]["masked_rows"]] = False
    reset_gradient(weight, kept, case["hyper"]["lasso_strength"])
    assert weight.grad.flatten().tolist() == pytest.approx(case["outputs"]["grad_after"], rel=1e-4, abs=1e-9)
    assert weight.grad.norm().item() == pytest.approx(case["outputs"]["grad_after_norm"], rel=1e-5)
