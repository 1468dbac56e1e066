"""Autocast and loss scaling: what edits the gradients never sees the scale."""

import pytest
import torch
from torch import Tensor, nn

from cdd.training.environment import autocast_dtype, has_native_bfloat16
from cdd.training.precision import precision_plugin
from cdd.training.trainer import Trainer
from tests.small import small_dataset, teacher_recipe

CPU = torch.device("cpu")


def first_gradients(precision: str, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the distiller is shown in the first step."""
    recipe = teacher_recipe(precision=precision)
    training = Trainer(recipe, small_dataset(16, 16), {}, CPU, autocast_dtype(recipe, CPU))
    if precision == "float16":  # a scale at which the very first step does not overflow
        training.precision.load_state_dict({**training.precision.state_dict(), "scale": 1024.0})
    seen: list[list[Tensor]] = []

    def look() -> None:
        seen.append([p.grad.clone() for p in training.student.parameters() if p.grad is not None])

    monkeypatch.setattr(training.distiller, "edit_gradients", look)
    training.train_epoch(1, lambda *_: None)
    return seen[0]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_gradients_are_edited_unscaled(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = first_gradients("float32", monkeypatch)
    found = first_gradients(precision, monkeypatch)
    assert all(gradient.dtype is torch.float32 for gradient in found)
    ours, exact = (torch.cat([gradient.flatten() for gradient in all_of]) for all_of in (found, wanted))
    assert float(ours.norm()) == pytest.approx(float(exact.norm()), rel=0.3)
    assert torch.cosine_similarity(ours, exact, dim=0) > 0.8


def test_a_step_that_overflows_is_left_out_and_the_scale_halved() -> None:
    layer = nn.Linear(2, 1)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    plugin = precision_plugin(CPU, torch.float16)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    plugin.backward(layer(torch.full((1, 2), 1e38)).sum() * 1e3, None)
    scale = plugin.state_dict()["scale"]
    plugin.unscale_gradients(optimiser)
    plugin.optimizer_step(optimiser)
    assert plugin.state_dict()["scale"] == scale / 2
    torch.testing.assert_close([parameter.detach() for parameter in layer.parameters()], before)


def test_the_scale_is_part_of_a_trainings_state() -> None:
    recipe = teacher_recipe(precision="float16")
    training = Trainer(recipe, small_dataset(16, 16), {}, CPU, torch.float16)
    training.train_epoch(1, lambda *_: None)
    state = training.state()
    state["precision"]["scale"] = 1024.0
    training.load_state(state)
    assert training.state()["precision"]["scale"] == 1024.0


def test_mixed_is_the_best_that_the_device_computes_natively() -> None:
    wanted = torch.bfloat16 if has_native_bfloat16(CPU) else torch.float32
    assert autocast_dtype(teacher_recipe(precision="mixed"), CPU) is wanted
    assert autocast_dtype(teacher_recipe(precision="float16"), CPU) is torch.float16
