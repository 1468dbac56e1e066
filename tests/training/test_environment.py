"""What a machine's settings do to torch."""

from collections.abc import Iterator

import pytest
import torch

from cdd.training.environment import Machine, prepare
from cdd.training.trainer import Trainer
from tests.small import small_dataset, teacher_recipe


@pytest.fixture
def settings_restored() -> Iterator[None]:
    yield
    prepare(Machine(device="cpu"))


@pytest.mark.usefixtures("settings_restored")
@pytest.mark.parametrize("deterministic", [True, False])
def test_deterministic_is_told_to_torch(deterministic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    assert prepare(Machine(device="cpu", deterministic=deterministic)) == torch.device("cpu")
    assert torch.are_deterministic_algorithms_enabled() is deterministic
    assert torch.backends.cudnn.benchmark is not deterministic


@pytest.mark.usefixtures("settings_restored")
def test_a_deterministic_training_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    device = prepare(Machine(device="cpu", deterministic=True))
    Trainer(teacher_recipe(), small_dataset(16, 16), {}, device, torch.float32).train_epoch(
        1, lambda *_: None
    )


@pytest.mark.parametrize("compiled", [True, False])
def test_networks_pass_through_the_compiler_where_asked(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def compile_nothing(network: object) -> object:
        seen.append(network)
        return network

    monkeypatch.setattr(torch, "compile", compile_nothing)
    training = Trainer(
        teacher_recipe(), small_dataset(16, 16), {}, torch.device("cpu"), torch.float32, compiled=compiled
    )
    training.passes.outputs(torch.zeros(2, 3, 16, 16))
    assert seen == ([training.student] if compiled else [])
    assert not any("_orig_mod" in name for name in training.state()["student"])
