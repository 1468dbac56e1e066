"""A method may look at the teacher once before the first epoch: whole, unaugmented, in evaluation mode."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cdd.contract import RetrievalOutput, TeacherOutputs
from cdd.data.augmentation import normalise
from cdd.methods.capacity_dynamic import CapacityDynamicDistiller
from cdd.models.network import RetrievalNetwork
from cdd.run import run
from cdd.training.environment import Machine
from cdd.training.loop import Training
from tests.small import small_dataset, student_recipe, teacher_recipe


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    torch.manual_seed(0)
    path = tmp_path / "teacher.pt"
    torch.save(RetrievalNetwork(teacher_recipe().student, 12).state_dict(), path)
    return {teacher_recipe().run_id: path}


def test_the_teachers_outputs_are_those_of_all_training_images(
    weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[RetrievalOutput]] = []

    def look(self: CapacityDynamicDistiller, teacher_outputs: TeacherOutputs) -> None:
        seen.extend(list(teacher_outputs()) for _ in range(2))

    monkeypatch.setattr(CapacityDynamicDistiller, "prepare", look)
    training = Training(student_recipe(), small_dataset(16, 16), weights, torch.device("cpu"), torch.float32)
    teacher = training.teacher
    assert teacher is not None
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    training.prepare()
    first, second = (torch.cat([output.embedding for output in outputs]) for outputs in seen)
    with torch.no_grad():
        images = normalise(training.dataset.pixels(training.examples.indices))
        wanted = teacher.eval()(images).embedding
    torch.testing.assert_close(first, wanted)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_the_teacher_goes_back_to_its_own_mode(weights: dict[str, Path]) -> None:
    training = Training(student_recipe(), small_dataset(16, 16), weights, torch.device("cpu"), torch.float32)
    assert training.teacher is not None
    mode = training.teacher.training
    next(iter(training._teacher_outputs()))
    assert training.teacher.training is mode


def test_a_resumed_run_is_not_prepared_again(
    weights: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []
    monkeypatch.setattr("cdd.run.load", lambda data, root: small_dataset(16, 16))
    monkeypatch.setattr(Training, "prepare", lambda self: prepared.append(1))
    train_epoch: Callable[..., dict[str, float]] = Training.train_epoch

    def interrupted(self: Training, epoch: int, stepped: object) -> dict[str, float]:
        if epoch == 2 and len(prepared) == 1 and not (tmp_path / "again").exists():
            (tmp_path / "again").touch()
            raise KeyboardInterrupt
        return train_epoch(self, epoch, stepped)

    monkeypatch.setattr(Training, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(student_recipe(), tmp_path / "run", weights=weights, machine=Machine(device="cpu"))
    run(student_recipe(), tmp_path / "run", weights=weights, machine=Machine(device="cpu"))
    assert len(prepared) == 1
