"""What is measured on noise scales with the batch, and what is counted needs no memory."""

import pytest
import torch

from cdd.models.network import RetrievalNetwork
from cdd.recipe import Batch
from cdd.training.calibration import SMALL_BATCH, measure_pace
from cdd.training.environment import Machine
from cdd.training.footprint import footprint
from cdd.training.trainer import Trainer
from tests.small import DATA, small_dataset, student_recipe, teacher_recipe

CPU = Machine(device="cpu")


RECIPES = [
    teacher_recipe(),
    student_recipe(),
    teacher_recipe(data=DATA.model_copy(update={"use": "classification-tuning"})),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_pace_is_positive_and_a_step_takes_longer_than_an_evaluation(recipe) -> None:
    pace = measure_pace(recipe, CPU)
    assert pace.seconds_per_step > pace.seconds_per_image * recipe.batch.size / 10 > 0
    assert pace.peak_memory is None


def test_the_time_of_a_small_batch_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    step = Trainer.step

    def noted(self, training_batch):
        sizes.append(len(training_batch.images))
        return step(self, training_batch)

    monkeypatch.setattr(Trainer, "step", noted)
    recipe = teacher_recipe(batch=Batch(identities=8, images=8))
    whole = measure_pace(recipe, CPU)
    monkeypatch.setattr("cdd.training.calibration.LARGEST_STEP", 0)
    part = measure_pace(recipe, CPU)
    assert set(sizes) == {64, SMALL_BATCH.size}
    assert part.seconds_per_step > whole.seconds_per_step / 2


def test_a_footprint_counts_what_a_checkpoint_holds(tmp_path) -> None:
    recipe, device = student_recipe(), torch.device("cpu")
    weights = tmp_path / "weights.pt"
    torch.save(RetrievalNetwork(recipe.student, 12).state_dict(), weights)
    files = {teacher_recipe().run_id: weights}
    training = Trainer(recipe, small_dataset(16, 16), files, device, torch.float32)
    training.train_epoch(1, lambda *_: None)
    counted = footprint(recipe, training.examples.identities)
    assert counted.training_disk == 3 * sum(tensor.nbytes for tensor in tensors_in(training.state()))


def tensors_in(value: object) -> list[torch.Tensor]:
    """All tensors of nested dictionaries and lists."""
    if isinstance(value, torch.Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for one in inner for tensor in tensors_in(one)]


def test_a_teacher_and_its_galleries_need_memory() -> None:
    alone, student = footprint(teacher_recipe(), 8), footprint(student_recipe(), 8)
    assert student.least_memory > alone.least_memory + alone.kept_disk / 4
    assert student.kept_disk > alone.kept_disk
