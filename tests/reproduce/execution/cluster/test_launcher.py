"""Runs as tasks of a Ray cluster of two machines, one of which dies."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from mlflow.entities import Run

from reproduce.execution.cluster.launcher import ray_launcher
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.connection import tracking_uri
from reproduce.tracking.store import Store
from tests.reproduce.commands import MINUTES, Moment, ended, prepared, results_of, start
from tests.reproduce.fakes import CODE, Recorder, a_student, a_teacher
from tests.reproduce.stored import parents, points, trained
from tests.reproduce.two_nodes import DeadlyTraining, TwoNodes, two_nodes, worker_of

THREE_ROWS = "tests.reproduce.three_rows"
EPOCHS = 4  # of `TINY`
CHANGES = ("--set", "initialisation=random", "--set", "method.resetting.after_epoch=1")
"""No pretraining; resetting from the second epoch on, so that a run that goes on needs its queue."""

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    with two_nodes() as found:
        yield found


def store_of(folder: Path) -> Store:
    """The folder's own, whatever store a test before has set; commands do not inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return Store(tracking_uri(folder), ResultsFolder(folder.resolve()), CODE)


def stored_runs(folder: Path) -> dict[str, Run]:
    """Every training's only run in the store."""
    store = store_of(folder)
    return {run_id: store.client.get_run(run.mlflow_id) for run_id, (run,) in store.trainings().items()}


@dataclass(frozen=True)
class Disturbed:
    """What a command on the cluster left, which was interrupted, then lost a worker and a machine.

    Attributes:
        interrupted: the states of the teacher and of the command after the interruption.
        said: by the command that lost them.
        teacher: whose worker was killed.
        moved: the student whose machine died.
    """

    folder: Path
    interrupted: list[str]
    said: str
    teacher: str
    moved: str


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """Results of one process that nobody disturbed."""
    folder = prepared(tmp_path_factory.mktemp("unbroken") / "results", empty_database)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        ended(start(folder, *CHANGES, suite=THREE_ROWS))
    return folder


@pytest.fixture(scope="module")
def disturbed(
    nodes: TwoNodes, unbroken: Path, tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Disturbed:
    folder = prepared(tmp_path_factory.mktemp("disturbed") / "results", empty_database)
    checkpoints = folder / "checkpoints"
    teacher, *students = stored_runs_by_start(unbroken)
    words = ("--launcher", "ray", "--address", nodes.address, *CHANGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        first = start(folder, *words, suite=THREE_ROWS)
        Moment("epoch_0001.ckpt", 0.0).wait(checkpoints / teacher, first)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=60 * MINUTES)
        assert first.returncode == 130, said
        states = [run.info.status for run in (*stored_runs(folder).values(), *parents(store_of(folder)))]

        second = start(folder, *words, suite=THREE_ROWS)
        Moment("epoch_0002.ckpt", 0.1).wait(checkpoints / teacher, second)
        worker = worker_of(teacher)
        assert worker
        worker.kill()
        moved = nodes.trained_on_second(students)
        Moment("epoch_0001.ckpt", 0.1).wait(checkpoints / moved, second)
        nodes.second_node_dies()
        said = ended(second)
    return Disturbed(folder, states, said, teacher, moved)


def stored_runs_by_start(folder: Path) -> list[str]:
    runs = stored_runs(folder)
    return sorted(runs, key=lambda run_id: runs[run_id].info.start_time)


def test_an_interrupted_command_leaves_its_runs_interrupted(disturbed: Disturbed) -> None:
    assert disturbed.interrupted == ["KILLED", "KILLED"]


def test_a_run_goes_on_after_its_worker_or_its_machine_died(disturbed: Disturbed) -> None:
    assert disturbed.said.count("its worker died; it goes on") == 2
    runs = stored_runs(disturbed.folder)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {run_id: run.data.tags["cdd.attempt"] for run_id, run in runs.items()} == {
        **dict.fromkeys(runs, "1"),
        disturbed.teacher: "3",
        disturbed.moved: "2",
    }


def test_students_begin_when_their_teacher_has_ended(disturbed: Disturbed) -> None:
    runs = stored_runs(disturbed.folder)
    teacher = runs.pop(disturbed.teacher)
    assert len(runs) == 2
    assert all(run.info.start_time >= teacher.info.end_time for run in runs.values())


def test_results_equal_those_of_one_process_bit_for_bit(disturbed: Disturbed, unbroken: Path) -> None:
    wanted, found = results_of(unbroken), results_of(disturbed.folder)
    assert len(wanted) == 3
    assert wanted.keys() == found.keys()
    for run_id, result in wanted.items():
        other = found[run_id]
        del other.metrics["seconds"], result.metrics["seconds"]
        assert (other.history, other.metrics) == (result.history, result.metrics)
        states = [
            torch.load(folder / "checkpoints" / run_id / "weights.pt")
            for folder in (unbroken, disturbed.folder)
        ]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    tables = [next(folder.rglob("table1.csv")).read_text() for folder in (unbroken, disturbed.folder)]
    assert tables[0] == tables[1]


def test_the_store_has_every_point_once(disturbed: Disturbed) -> None:
    store = store_of(disturbed.folder)
    for run_id, run in stored_runs(disturbed.folder).items():
        found = points(store, run)
        assert found["loss/total"] == list(range(1, EPOCHS + 1)), run_id
        assert all(len(set(steps)) == len(steps) for steps in found.values())


def test_nothing_of_the_cluster_stays_in_the_results(disturbed: Disturbed) -> None:
    files = {path.suffix for path in (disturbed.folder / "checkpoints").iterdir() if path.is_file()}
    assert files <= {".lock"}


def test_a_run_whose_workers_all_die_fails_and_takes_along_what_needs_it_alone(
    nodes: TwoNodes,
    session: Callable[..., ArtifactPipeline],
    deployed: Path,
    listener: Recorder,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reproduce.execution.cluster.launcher.RETRIES", 1)
    with ray_launcher(nodes.address) as launch:
        (drawn,) = session(seeds=[0, 1], launch=launch).run(DeadlyTraining(deployed))
    recipes = [make("mini", seed) for seed in (0, 1) for make in (a_teacher, a_student)]
    found = [drawn.outcomes[recipe.run_id] for recipe in recipes]
    assert [outcome.state for outcome in found] == ["failed", "skipped", "finished", "finished"]
    assert "its worker died 2 times" in found[0].message
    assert found[1].message == f"it needs {recipes[0].run_id}, which failed"
    assert [trained(store, recipes[place]).info.status for place in (0, 2, 3)] == [
        "FAILED",
        "FINISHED",
        "FINISHED",
    ]
    assert sorted(listener.counted) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(listener.epochs) == [1, 1, 2, 2, 3, 3]
