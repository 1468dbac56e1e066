"""Side by side, students have the numbers that they have alone, whenever they come and however they leave."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

import cdd.run
from cdd.architecture import Backbone
from cdd.contract import Fidelity
from cdd.data.records import Dataset
from cdd.errors import DataError, DivergenceError
from cdd.methods.attention_transfer import AT
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.knowledge_distillation import KD
from cdd.methods.rkd import RKD
from cdd.methods.supervised import Supervised
from cdd.recipe import Recipe, Schedule
from cdd.result import Result, load_result
from cdd.run import run
from cdd.training.batches import BatchStream, batch_stream_key
from cdd.training.environment import Machine
from cdd.training.multi_student import MultiStudentScheduler
from cdd.training.observer import Observer, Progress
from tests.small import SCHEDULE, small_dataset, student_recipe, teacher_recipe

CPU = Machine(device="cpu")
LIGHT = Backbone(block="basic", blocks=(1, 1, 1, 1), planes=(4, 4, 8, 8), stem="small", embedding=8)
GUIDED = CapacityDynamic(sparsity=0.5, resetting=RetrievalGuided(queue=16, after_epoch=1, ratio=0.75))
EPOCHS, STEPS = 3, 5
RUNNING = Fidelity(teacher_batch_norm="running")


class Interruption(Exception):
    """Stands for whatever ends a student."""


class Stops(Observer):
    """Ends a student after so many iterations, with an error."""

    def __init__(self, after: int | None = None, error: type[BaseException] = Interruption):
        self.after, self.error = after, error
        self.steps: list[tuple[int, int]] = []

    def stepped(self, progress: Progress) -> None:
        self.steps.append((progress.epoch, progress.step))
        if len(self.steps) == self.after:
            raise self.error


def light(method: object, **changes: object) -> Recipe:
    return student_recipe(student=LIGHT, compactors=False, method=method).model_copy(update=changes)


def batch_statistics() -> list[Recipe]:
    """CDD+RGGR, one that reads maps, one of logits, one of relations; the teacher has batch statistics."""
    return [student_recipe(method=GUIDED), light(AT()), light(KD()), light(RKD())]


def running_statistics() -> list[Recipe]:
    return [recipe.model_copy(update={"fidelity": RUNNING}) for recipe in batch_statistics()[:3]]


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdd.run, "load", lambda data, data_root=None: small_dataset(16, 16))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("teacher")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cdd.run, "load", lambda data, data_root=None: small_dataset(16, 16))
        run(teacher_recipe(), folder, weights={}, machine=CPU)
    yield {teacher_recipe().run_id: folder / "weights.pt"}


def together(
    recipes: Sequence[Recipe],
    folder: Path,
    weights: dict[str, Path],
    observers: Sequence[Observer] | None = None,
) -> list[Result | BaseException]:
    def work(recipe: Recipe, observer: Observer) -> Callable[[], Result]:
        return lambda: run(recipe, folder / recipe.run_id, weights=weights, machine=CPU, observer=observer)

    told = observers or [Observer() for _ in recipes]
    return MultiStudentScheduler[Result](recipes).results(
        [work(*pair) for pair in zip(recipes, told, strict=True)]
    )


def alone(recipe: Recipe, folder: Path, weights: dict[str, Path]) -> Result:
    return run(recipe, folder / recipe.run_id, weights=weights, machine=CPU)


def assert_the_same(recipe: Recipe, found: Path, wanted: Path) -> None:
    """Weights to the last bit, and every number but the seconds."""
    states = [torch.load(folder / recipe.run_id / "weights.pt") for folder in (found, wanted)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    results = [load_result(folder / recipe.run_id) for folder in (found, wanted)]
    assert results[0] is not None
    assert results[1] is not None
    assert results[0].history == results[1].history
    numbers = [{k: v for k, v in result.metrics.items() if k != "seconds"} for result in results if result]
    assert numbers[0] == numbers[1]
    assert results[0].average_precision == results[1].average_precision


@pytest.mark.parametrize("recipes", [batch_statistics(), running_statistics()], ids=["batch", "running"])
def test_students_side_by_side_have_the_numbers_that_they_have_alone(
    tmp_path: Path, weights: dict[str, Path], recipes: list[Recipe]
) -> None:
    assert len({batch_stream_key(recipe) for recipe in recipes}) == 1
    found = together(recipes, tmp_path / "together", weights)
    for recipe, result in zip(recipes, found, strict=True):
        assert isinstance(result, Result)
        assert result.environment["co_trained_students"] == len(recipes) - 1
        assert "co_trained_students" not in alone(recipe, tmp_path / "alone", weights).environment
        assert_the_same(recipe, tmp_path / "together", tmp_path / "alone")


def test_images_are_read_and_the_teacher_is_asked_once_for_all(
    tmp_path: Path, weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, taught = [], []
    build, teach = BatchStream.__init__, BatchStream._teacher_outputs

    def counted_build(self: BatchStream, *given: object, **more: object) -> None:
        made.append(self)
        build(self, *given, **more)  # type: ignore[arg-type]

    def counted_teach(self: BatchStream, images: torch.Tensor) -> object:
        taught.append(len(images))
        return teach(self, images)

    monkeypatch.setattr(BatchStream, "__init__", counted_build)
    monkeypatch.setattr(BatchStream, "_teacher_outputs", counted_teach)
    observers = [Stops(), Stops()]
    together([light(KD()), light(AT())], tmp_path, weights, observers)
    assert len(made) == 1
    assert observers[0].steps == observers[1].steps
    assert len(taught) == len(observers[0].steps)


def test_a_student_that_ends_early_leaves_the_others_to_go_on(
    tmp_path: Path, weights: dict[str, Path]
) -> None:
    recipes = [light(KD()), light(RKD()), student_recipe(method=GUIDED)]
    found = together(recipes, tmp_path / "together", weights, [Stops(), Stops(after=7), Stops()])
    assert isinstance(found[1], Interruption)
    for recipe in (recipes[0], recipes[2]):
        alone(recipe, tmp_path / "alone", weights)
        assert_the_same(recipe, tmp_path / "together", tmp_path / "alone")


def test_one_that_diverges_fails_alone_with_its_own_error(tmp_path: Path, weights: dict[str, Path]) -> None:
    flat = SCHEDULE.model_copy(update={"peak_learning_rate": 1e12})
    recipes = [light(KD(), schedule=flat), light(KD())]
    assert batch_stream_key(recipes[0]) == batch_stream_key(recipes[1])
    found = together(recipes, tmp_path, weights)
    assert isinstance(found[0], DivergenceError)
    assert isinstance(found[1], Result)


@pytest.mark.parametrize("stops", [(1, 12, None), (13, 2, 8)])
def test_students_that_stopped_at_different_epochs_go_on_together_bit_by_bit(
    tmp_path: Path, weights: dict[str, Path], stops: tuple[int | None, ...]
) -> None:
    recipes = [student_recipe(method=GUIDED), light(AT()), light(KD())]
    broken = tmp_path / "together"
    for recipe, after in zip(recipes, stops, strict=True):
        if after:
            with pytest.raises(Interruption):
                run(recipe, broken / recipe.run_id, weights=weights, machine=CPU, observer=Stops(after))
    together(recipes, broken, weights)
    for recipe in recipes:
        alone(recipe, tmp_path / "alone", weights)
        assert_the_same(recipe, broken, tmp_path / "alone")


def test_students_that_were_killed_together_go_on_together_or_alone(
    tmp_path: Path, weights: dict[str, Path]
) -> None:
    recipes = [student_recipe(method=GUIDED), light(AT())]
    broken = tmp_path / "together"
    together(recipes, broken, weights, [Stops(after=9), Stops(after=14)])
    resumed = alone(recipes[0], broken, weights)
    assert resumed.environment["co_trained_students"] == 1
    together(recipes, broken, weights)
    for recipe in recipes:
        alone(recipe, tmp_path / "alone", weights)
        assert_the_same(recipe, broken, tmp_path / "alone")


def test_the_time_of_all_students_is_the_time_that_passed(tmp_path: Path, weights: dict[str, Path]) -> None:
    recipes = [light(KD()), light(RKD()), light(AT())]
    started = time.monotonic()
    found = together(recipes, tmp_path, weights)
    passed = time.monotonic() - started
    spent = [result.metrics["seconds"] for result in found if isinstance(result, Result)]
    assert len(spent) == len(recipes)
    assert 0.3 * passed < sum(spent) < passed


def test_images_that_cannot_be_read_end_everybody(
    tmp_path: Path, weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, reads = small_dataset(16, 16), []

    def pixels(indices: Sequence[int]) -> torch.Tensor:
        reads.append(len(indices))
        if len(reads) > STEPS:
            raise DataError("the image cannot be read")
        return whole.pixels(indices)

    broken = Dataset(**{**{n: getattr(whole, n) for n in whole.__dataclass_fields__}, "pixels": pixels})
    monkeypatch.setattr(cdd.run, "load", lambda data, data_root=None: broken)
    found = together([light(KD()), light(RKD())], tmp_path, weights)
    assert [type(error) for error in found] == [DataError, DataError]


def test_an_interruption_reaches_every_student_and_then_the_caller(
    tmp_path: Path, weights: dict[str, Path]
) -> None:
    class Presses(Observer):
        def stepped(self, progress: Progress) -> None:
            if progress.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    ended: list[str] = []

    def work(recipe: Recipe, observer: Observer) -> Callable[[], Result]:
        def trained() -> Result:
            try:
                return run(recipe, tmp_path / recipe.run_id, weights=weights, machine=CPU, observer=observer)
            except KeyboardInterrupt:
                ended.append(recipe.run_id)
                raise

        return trained

    recipes = [light(KD()), light(RKD())]
    room = MultiStudentScheduler[Result](recipes)
    # In the background of a script it is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            room.results([work(recipes[0], Presses()), work(recipes[1], Observer())])
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(ended) == sorted(recipe.run_id for recipe in recipes)


def test_students_of_other_lessons_are_taught_apart(tmp_path: Path, weights: dict[str, Path]) -> None:
    recipes = [light(KD()), light(KD(), seed=1), light(Supervised())]
    assert len({batch_stream_key(recipe) for recipe in recipes}) == 3
    found = together(recipes, tmp_path / "together", weights)
    for recipe, result in zip(recipes, found, strict=True):
        assert isinstance(result, Result)
        assert "co_trained_students" not in result.environment
        alone(recipe, tmp_path / "alone", weights)
        assert_the_same(recipe, tmp_path / "together", tmp_path / "alone")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"schedule": Schedule(epochs=4, warmup_epochs=1, flat_until_epoch=2)},
        {"precision": "bfloat16"},
        {"teacher": teacher_recipe(seed=5)},
        {"fidelity": RUNNING},
        {"fidelity": Fidelity(erasing_fill="zero")},
    ],
    ids=str,
)
def test_what_changes_the_lessons_changes_their_subject(change: dict[str, object]) -> None:
    assert batch_stream_key(light(KD())) != batch_stream_key(light(KD(), **change))


@pytest.mark.parametrize(
    "change",
    [
        {"method": RKD()},
        {"compactors": True, "student": teacher_recipe().student},
        {"fidelity": Fidelity(sticky_masks=False)},
        {"evaluate_every": 2},
    ],
    ids=str,
)
def test_what_only_the_student_has_does_not(change: dict[str, object]) -> None:
    assert batch_stream_key(light(KD())) == batch_stream_key(light(**{"method": KD(), **change}))
