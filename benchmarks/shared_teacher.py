"""Students side by side, who share batches and teacher, against the same students one after the other."""

import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.line import Line, best_of
from cdd.contract import Method
from cdd.data.records import Dataset, training_set
from cdd.data.registry import load
from cdd.methods.attention_transfer import AT
from cdd.methods.knowledge_distillation import KD
from cdd.methods.pkt import PKT
from cdd.methods.rkd import RKD
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.training.multi_student import MultiStudentScheduler, current_slot
from cdd.training.trainer import Trainer
from experiments.common.recipes import light_student

METHODS: tuple[Method, ...] = (KD(), RKD(), PKT(), AT())
WARM_UP, BATCHES = 2, 6
CPU = torch.device("cpu")


def shared_teacher(batches: int = BATCHES) -> Line:
    """Time of one student for one training batch, the mean of four methods in rows of the tables."""
    recipes = [_row(method) for method in METHODS]
    dataset = load(recipes[0].data)
    with tempfile.TemporaryDirectory() as folder:
        weights = _teacher(recipes[0], dataset, Path(folder))
        alone, steps = zip(*(_alone(recipe, dataset, weights, batches) for recipe in recipes), strict=True)
        work = [partial(_seconds, recipe, dataset, weights, batches) for recipe in recipes]
        shared = [_found(result) for result in MultiStudentScheduler[float](recipes).results(work)]
    return Line(
        name=f"a batch of {recipes[0].batch.size} images, shared by {len(recipes)} students (mini)",
        ours=sum(shared) / len(shared),
        baseline=sum(alone) / len(alone),
        baseline_name="each student alone",
        limit=sum(steps) / len(steps),
        limit_name="the student's own step, without images to read and without a teacher",
    )


def _row(method: Method) -> Recipe:
    row = light_student(method, "veri776", "mini", 0)
    return row.model_copy(update={"initialisation": "random"})


def _teacher(recipe: Recipe, dataset: Dataset, folder: Path) -> dict[str, Path]:
    """A teacher who has learnt nothing takes as long as one who has."""
    path, (teacher,) = folder / "weights.pt", recipe.dependencies
    identities = training_set(dataset, recipe.data.use).identities
    torch.save(RetrievalNetwork(teacher.student, identities).state_dict(), path)
    return {teacher.run_id: path}


def _alone(recipe: Recipe, dataset: Dataset, weights: dict[str, Path], batches: int) -> tuple[float, float]:
    """Seconds per training batch of a student alone, and of its step alone."""
    training = Trainer(recipe, dataset, weights, CPU, torch.float32)
    training_batch = next(iter(training.batch_stream.of_epoch(1)))
    step = best_of(batches, lambda: training.start_epoch(1).train_step(training_batch))
    return _seconds(recipe, dataset, weights, batches), step


def _seconds(recipe: Recipe, dataset: Dataset, weights: dict[str, Path], batches: int) -> float:
    """Seconds per training batch, by the student's own clock, after the warm-up."""
    training, slot = Trainer(recipe, dataset, weights, CPU, torch.float32), current_slot()
    course, times = training.start_epoch(1), [slot.seconds()]
    for _, training_batch in zip(
        range(WARM_UP + batches), slot.batches(training.batch_stream, 1), strict=False
    ):
        course.train_step(training_batch)
        times.append(slot.seconds())
    return min(after - before for before, after in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False))


def _found(result: float | BaseException) -> float:
    if isinstance(result, BaseException):
        raise result
    return result
