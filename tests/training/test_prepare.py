"""A method may look at the teacher once before the first epoch: whole, unaugmented, in evaluation mode."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cdd.contract import RetrievalOutput, TeacherOutputs
from cdd.data.augmentation import normalise
from cdd.errors import DataError
from cdd.methods.capacity_dynamic import CapacityDynamicDistiller
from cdd.methods.quest.quest import QuantisedDistiller, QuEST
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.run import run
from cdd.tensor_files import write_tensors
from cdd.training.environment import Machine
from cdd.training.preparation import preparation_file
from cdd.training.trainer import Trainer
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
    training = Trainer(student_recipe(), small_dataset(16, 16), weights, torch.device("cpu"), torch.float32)
    teacher = training.teacher
    assert teacher is not None
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    training.prepare()
    first, second = (torch.cat([output.embedding for output in outputs]) for outputs in seen)
    with torch.no_grad():
        images = normalise(training.batch_stream.dataset.pixels(training.examples.indices))
        wanted = teacher.eval()(images).embedding
    torch.testing.assert_close(first, wanted)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_the_teacher_goes_back_to_its_own_mode(weights: dict[str, Path]) -> None:
    training = Trainer(student_recipe(), small_dataset(16, 16), weights, torch.device("cpu"), torch.float32)
    assert training.teacher is not None
    mode = training.teacher.training
    next(iter(training.batch_stream.without_augmentation()))
    assert training.teacher.training is mode


def test_a_resumed_run_is_not_prepared_again(
    weights: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []
    monkeypatch.setattr("cdd.run.load", lambda data, root: small_dataset(16, 16))
    monkeypatch.setattr(Trainer, "prepare", lambda self, folder: prepared.append(1))
    train_epoch: Callable[..., dict[str, float]] = Trainer.train_epoch

    def interrupted(self: Trainer, epoch: int, stepped: object) -> dict[str, float]:
        if epoch == 2 and len(prepared) == 1 and not (tmp_path / "again").exists():
            (tmp_path / "again").touch()
            raise KeyboardInterrupt
        return train_epoch(self, epoch, stepped)

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(student_recipe(), tmp_path / "run", weights=weights, machine=Machine(device="cpu"))
    run(student_recipe(), tmp_path / "run", weights=weights, machine=Machine(device="cpu"))
    assert len(prepared) == 1


def quantising(**changes: object) -> Recipe:
    return student_recipe(compactors=False, method=QuEST(words=8, certainty=0.6, **changes))  # type: ignore[arg-type]


def prepared_by(recipe: Recipe, weights: dict[str, Path], folder: Path) -> QuantisedDistiller:
    training = Trainer(recipe, small_dataset(16, 16), weights, torch.device("cpu"), torch.float32)
    training.prepare(folder)
    assert isinstance(training.distiller, QuantisedDistiller)
    return training.distiller


def test_a_vocabulary_is_learnt_once_for_all_students_of_a_teacher(
    weights: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared_by(quantising(), weights, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(QuantisedDistiller, "prepare", lambda *given: pytest.fail("learnt again"))
        second = prepared_by(quantising(weight=5.0), weights, tmp_path)
    for name, buffer in first.named_buffers():
        assert torch.equal(buffer, dict(second.named_buffers())[name])
    assert all(bool(buffer.any()) for buffer in first.buffers())


@pytest.mark.parametrize(
    "changed",
    [
        quantising(iterations=3),
        quantising().model_copy(update={"teacher": teacher_recipe(seed=1)}),
        quantising().model_copy(update={"data": teacher_recipe().data.model_copy(update={"height": 20})}),
    ],
)
def test_other_words_other_teachers_and_other_images_have_vocabularies_of_their_own(
    changed: Recipe, tmp_path: Path
) -> None:
    own = preparation_file(quantising(), "digest", tmp_path)
    assert own == preparation_file(quantising(weight=3.0), "digest", tmp_path)
    assert len({own, preparation_file(changed, "digest", tmp_path)}) == 2
    assert len({own, preparation_file(quantising(), "other digest", tmp_path)}) == 2
    assert preparation_file(student_recipe(), "digest", tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04"])
def test_a_damaged_vocabulary_is_named(weights: dict[str, Path], tmp_path: Path, content: bytes) -> None:
    path = preparation_file(quantising(), "small", tmp_path)
    assert path is not None
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name} cannot be read: it is .*Delete that file"):
        prepared_by(quantising(), weights, tmp_path)


def test_the_vocabulary_of_another_method_is_refused(weights: dict[str, Path], tmp_path: Path) -> None:
    path = preparation_file(quantising(), "small", tmp_path)
    assert path is not None
    write_tensors(path, {"words": torch.zeros(3)})
    with pytest.raises(DataError, match="is not what this method learns"):
        prepared_by(quantising(), weights, tmp_path)
