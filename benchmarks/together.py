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
from cdd.methods.probabilistic import PKT
from cdd.methods.relational import RKD
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.training.multi_student import Classroom, seat_here
from cdd.training.trainer import Training
from experiments.common.recipes import light_student

METHODS: tuple[Method, ...] = (KD(), RKD(), PKT(), AT())
WARM_UP, LESSONS = 2, 6
CPU = torch.device("cpu")


def together(lessons: int = LESSONS) -> Line:
    """Time of one student for one lesson, the mean of four methods in rows of the tables."""
    recipes = [_row(method) for method in METHODS]
    dataset = load(recipes[0].data)
    with tempfile.TemporaryDirectory() as folder:
        weights = _teacher(recipes[0], dataset, Path(folder))
        alone, steps = zip(*(_alone(recipe, dataset, weights, lessons) for recipe in recipes), strict=True)
        work = [partial(_seconds, recipe, dataset, weights, lessons) for recipe in recipes]
        shared = [_found(result) for result in Classroom[float](recipes).results(work)]
    return Line(
        name=f"a lesson of {recipes[0].batch.size} images, each of {len(recipes)} students together (mini)",
        ours=sum(shared) / len(shared),
        baseline=sum(alone) / len(alone),
        baseline_name="each student alone",
        limit=sum(steps) / len(steps),
        limit_name="the student's own step, with neither images to read nor a teacher to ask",
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


def _alone(recipe: Recipe, dataset: Dataset, weights: dict[str, Path], lessons: int) -> tuple[float, float]:
    """Seconds per lesson of a student alone, and of its step once the lesson is there."""
    training = Training(recipe, dataset, weights, CPU, torch.float32)
    lesson = next(iter(training.lessons.of_epoch(1)))
    step = best_of(lessons, lambda: training.start_epoch(1).learn(lesson))
    return _seconds(recipe, dataset, weights, lessons), step


def _seconds(recipe: Recipe, dataset: Dataset, weights: dict[str, Path], lessons: int) -> float:
    """Per lesson, by the student's own clock, once it is warm."""
    training, seat = Training(recipe, dataset, weights, CPU, torch.float32), seat_here()
    course, times = training.start_epoch(1), [seat.seconds()]
    for _, lesson in zip(range(WARM_UP + lessons), seat.attended(training.lessons, 1), strict=False):
        course.learn(lesson)
        times.append(seat.seconds())
    return min(after - before for before, after in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False))


def _found(result: float | BaseException) -> float:
    if isinstance(result, BaseException):
        raise result
    return result
