"""Students side by side: each is planned, locked, stored and judged as it is alone."""

from collections.abc import Callable
from threading import Event, Thread

import pytest

from cdd.errors import DivergenceError
from cdd.methods.capacity_dynamic import CapacityDynamic
from cdd.recipe import Recipe
from cdd.training.multi_student import UNSHARED, current_slot
from experiments.schema.scale import Scale
from experiments.schema.table import Table
from reproduce.errors import UsageError
from reproduce.execution.multi_student import launcher
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.tracking.store import Store
from tests.reproduce.fakes import (
    TEACHER,
    FakeTraining,
    Recorder,
    a_student,
    a_teacher,
    row,
    table,
)
from tests.reproduce.stored import everything, trained

WEIGHTS = (0.1, 0.2, 0.3)


def student(weight: float) -> Callable[[Scale, int], Recipe]:
    """Students of one teacher that differ in their method alone."""

    def recipe(scale: Scale, seed: int) -> Recipe:
        return a_student(scale, seed).model_copy(update={"method": CapacityDynamic(tap_weight=weight)})

    return recipe


STUDENTS = [student(weight)("mini", 0).run_id for weight in WEIGHTS]


class Shared(FakeTraining):
    """Remembers who was trained by a multi-student scheduler, and which students shared it."""

    def __init__(self, plain: FakeTraining):
        super().__init__(plain.deployed)
        self.rooms: dict[str, int | None] = {}

    def __call__(self, recipe: Recipe, *given: object, **more: object):
        slot = current_slot()
        self.rooms[recipe.run_id] = None if slot is UNSHARED else id(slot._scheduler)  # type: ignore[attr-defined]
        return super().__call__(recipe, *given, **more)  # type: ignore[arg-type]

    @property
    def groups(self) -> list[set[str]]:
        """Run ids by scheduler, largest first."""
        rooms = {room for room in self.rooms.values() if room}
        found = [{name for name, room in self.rooms.items() if room == each} for each in rooms]
        return sorted(found, key=len, reverse=True)


class Several(Recorder):
    """The same listener for all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def noted(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def listener() -> Several:
    return Several()


@pytest.fixture
def shared(training: FakeTraining) -> Shared:
    return Shared(training)


@pytest.fixture
def command(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], listener: Several, shared: Shared
) -> Callable[..., RenderedArtifact]:
    """Runs the table of a teacher and its three students, so many at once."""
    rows = [row(f"Student {weight}", student(weight)) for weight in WEIGHTS]
    tables["tiny"] = table(TEACHER, *rows)

    def run(most: int, **request: object) -> RenderedArtifact:
        (drawn,) = ArtifactPipeline(session(**request).request, listener, launcher(most)).run(shared)
        return drawn

    return run


def test_students_of_one_teacher_are_trained_in_one_room(
    command: Callable[..., RenderedArtifact], shared: Shared, store: Store, listener: Several
) -> None:
    drawn = command(3)
    assert drawn.complete
    assert [outcome.state for outcome in drawn.outcomes.values()] == ["finished"] * 4
    assert shared.groups == [set(STUDENTS)]
    assert shared.rooms[a_teacher("mini", 0).run_id] is None
    assert {run.info.status for run in everything(store)} == {"FINISHED"}
    assert listener.counted == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert listener.notes == ["side by side with 2 more that see the same batches"] * 3
    assert listener.ended == ["finished"] * 4


@pytest.mark.parametrize(("most", "sizes"), [(2, [2]), (1, []), (9, [3])])
def test_there_are_never_more_in_a_room_than_asked_for(
    command: Callable[..., RenderedArtifact], shared: Shared, most: int, sizes: list[int]
) -> None:
    assert command(most).complete
    assert [len(group) for group in shared.groups] == sizes
    assert len(shared.epochs) == len(set(shared.epochs)) == 12


def test_seeds_have_rooms_of_their_own(command: Callable[..., RenderedArtifact], shared: Shared) -> None:
    assert command(3, seeds=[0, 1]).complete
    assert [len(group) for group in shared.groups] == [3, 3]
    assert set(STUDENTS) in shared.groups


def test_one_that_fails_leaves_the_others_their_outcomes(
    command: Callable[..., RenderedArtifact], shared: Shared, store: Store
) -> None:
    def diverge(recipe: Recipe, number: int) -> None:
        if recipe.run_id == STUDENTS[1] and number == 2:
            raise DivergenceError("total nan")

    shared.before_epoch = diverge
    drawn = command(3)
    assert [drawn.outcomes[name].state for name in STUDENTS] == ["finished", "failed", "finished"]
    assert drawn.outcomes[STUDENTS[1]].message == "total nan"
    assert trained(store, student(WEIGHTS[1])("mini", 0)).info.status == "FAILED"
    shared.before_epoch = lambda recipe, number: None
    assert command(3).complete
    assert len(shared.epochs) == len(set(shared.epochs)) == 12


def test_without_their_teacher_none_of_them_begins(
    command: Callable[..., RenderedArtifact], shared: Shared
) -> None:
    def diverge(recipe: Recipe, number: int) -> None:
        if recipe.teacher is None:
            raise DivergenceError("total nan")

    shared.before_epoch = diverge
    drawn = command(3)
    assert [drawn.outcomes[name].state for name in STUDENTS] == ["skipped"] * 3
    assert shared.groups == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, TypeError])
def test_what_is_no_failure_of_a_run_ends_the_command_and_is_gone_on_with(
    command: Callable[..., RenderedArtifact], shared: Shared, store: Store, error: type[BaseException]
) -> None:
    def stop(recipe: Recipe, number: int) -> None:
        if recipe.teacher and number == 2:
            raise error

    shared.before_epoch = stop
    with pytest.raises(error):
        command(3)
    found = {trained(store, student(weight)("mini", 0)).info.status for weight in WEIGHTS}
    assert found == ({"KILLED"} if error is KeyboardInterrupt else {"FAILED"})
    shared.before_epoch = lambda recipe, number: None
    assert command(3).complete
    assert len(shared.epochs) == len(set(shared.epochs)) == 12


def test_what_another_process_trains_is_left_out_and_waited_for_at_its_turn(
    command: Callable[..., RenderedArtifact], shared: Shared, store: Store, listener: Several
) -> None:
    has_it, may_go = Event(), Event()

    def hold() -> None:
        with store.workspace.lock(STUDENTS[1]):
            has_it.set()
            may_go.wait(60)

    other = Thread(target=hold)
    other.start()
    assert has_it.wait(30)
    shared.before_epoch = lambda recipe, number: may_go.set() if recipe.run_id == STUDENTS[2] else None
    drawn = command(3)
    other.join()
    assert drawn.complete
    assert shared.groups == [{STUDENTS[0], STUDENTS[2]}]
    assert shared.rooms[STUDENTS[1]] is None
    assert "another process trains it: looked at again later" in listener.ended


def test_processes_of_one_student_and_students_of_one_process_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(UsageError, match="choose one of the two"):
        launcher(2)
