"""Many writers: MLflow's server on PostgreSQL, and a study of several hosts on the same PostgreSQL."""

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import mlflow
import optuna
import pytest
from optuna.trial import TrialState

from cdd.recipe import Recipe
from experiments.schema.scale import Scale
from experiments.schema.table import Table
from reproduce.errors import StoreError
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.storage.results_folder import ResultsFolder
from reproduce.studies.study_lock import DatabaseStudyLock
from reproduce.tracking.model_logging import log_deployed
from reproduce.tracking.store import INVOCATION, Store
from tests.reproduce.cluster import PostgreSQL, mlflow_server, postgresql
from tests.reproduce.fake_process import Order, ended
from tests.reproduce.fakes import CODE, TEACHER, FakeTraining, a_student, a_teacher, row, table
from tests.reproduce.stored import everything, points, trained
from tests.small import student_recipe

SEEDS = [0, 1]
RUNS = [make("mini", seed) for seed in SEEDS for make in (a_teacher, a_student)]
TRIALS = 4

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with postgresql() as found:
        yield found


@pytest.fixture(scope="module")
def server(database: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's server."""
    with mlflow_server(database.create("runs"), tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture(scope="module")
def order(deployed: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Order]:
    """Makes orders, each with a results folder of its own where none is named."""

    def make(**values: object) -> Order:
        own = {"results": str(tmp_path_factory.mktemp("host")), "deployed": str(deployed), **values}
        return Order(**own)  # type: ignore[arg-type]

    return make


@dataclass(frozen=True)
class Shared:
    """What the processes of one host did: the trainings that each began, and the store."""

    begun: list[list[str]]
    store: Store


@pytest.fixture(scope="module")
def shared(server: str, order: Callable[..., Order], tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A table in two processes at once, each with another seed first."""
    first = order(meeting=str(tmp_path_factory.mktemp("table")), processes=2, seeds=SEEDS)
    processes = [each.start(server) for each in (first, replace(first, seeds=SEEDS[::-1]))]
    begun = [ended(process) for process in processes]
    return Shared(begun, Store(server, ResultsFolder(Path(first.results).resolve()), CODE))


@pytest.fixture
def killed() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that shall not outlive the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_two_processes_train_each_run_of_a_table_once(shared: Shared) -> None:
    assert [begun[0] for begun in shared.begun] == [a_teacher("mini", seed).run_id for seed in SEEDS]
    assert Counter(sum(shared.begun, [])) == Counter(recipe.run_id for recipe in RUNS)
    assert [trained(shared.store, recipe).info.status for recipe in RUNS] == ["FINISHED"] * len(RUNS)


def test_each_process_is_the_parent_of_what_it_trained(shared: Shared) -> None:
    runs = [run for run in everything(shared.store) if run.data.tags.get("cdd.kind") == INVOCATION]
    assert [run.data.tags["cdd.artifact"] for run in runs] == ["tiny"] * 2
    assert {run.info.status for run in runs} == {"FINISHED"}
    children: dict[str, set[str]] = {run.info.run_id: set() for run in runs}
    for recipe in RUNS:
        children[trained(shared.store, recipe).data.tags["mlflow.parentRunId"]].add(recipe.run_id)
    assert sorted(map(sorted, children.values())) == sorted(map(sorted, shared.begun))


def test_the_server_has_every_point_once(shared: Shared) -> None:
    for recipe in RUNS:
        found = points(shared.store, trained(shared.store, recipe))
        assert found["loss/total"] == [1, 2, 3]
        assert all(len(set(steps)) == len(steps) for steps in found.values())


def test_another_host_reuses_a_teacher_and_fetches_its_weights(
    shared: Shared,
    run: Callable[..., list[RenderedArtifact]],
    tables: dict[str, Table],
    training: FakeTraining,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def other(scale: Scale, seed: int) -> Recipe:
        return student_recipe(seed=seed, teacher=a_teacher(scale, seed), evaluate_every=2)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared.store.uri)
    tables["other"] = table(TEACHER, row("Other student", other), name="other")
    (drawn,) = run("other")
    assert drawn.complete
    assert training.begun == [other("mini", 0).run_id]


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_model_goes_through_the_server_and_comes_back(
    server: str, workspace: ResultsFolder, deployed: Path
) -> None:
    store = Store(server, workspace, CODE)
    run_id = store.client.create_run(store.experiment("models")).info.run_id
    found = log_deployed(store, run_id, a_teacher("mini", 0), deployed)
    model = mlflow.get_logged_model(found.rpartition("/")[2])
    assert model.artifact_location.startswith("mlflow-artifacts:")
    assert not (workspace.results / "mlartifacts").exists()


def test_the_database_without_a_server_keeps_files_beside_the_results(
    database: PostgreSQL, server: str, workspace: ResultsFolder, tmp_path: Path
) -> None:
    store = Store(database.url("runs"), workspace, CODE)
    run_id = store.client.create_run(store.experiment("direct")).info.run_id
    (tmp_path / "note.txt").write_text("a note")
    store.upload(run_id, [tmp_path / "note.txt"])
    fetched = store.download(run_id, "note.txt", tmp_path / "fetched")
    assert fetched
    assert fetched.read_text() == "a note"
    assert len(list((workspace.results / "mlartifacts").rglob("note.txt"))) == 1


def test_a_database_out_of_reach_is_said_at_once_without_its_password(
    database: PostgreSQL, workspace: ResultsFolder
) -> None:
    with pytest.raises(StoreError, match='database "nowhere" does not exist') as caught:
        Store(database.url("nowhere"), workspace, CODE)
    assert database.password not in str(caught.value)


def test_a_turn_is_one_processes_until_it_passes_it_on(database: PostgreSQL) -> None:
    first, second = (DatabaseStudyLock(database.url("postgres")) for _ in range(2))
    has_it = Event()

    def wait() -> None:
        second.acquire()
        has_it.set()

    first.acquire()
    waiting = Thread(target=wait, daemon=True)
    waiting.start()
    assert not has_it.wait(1)
    first.release()
    assert has_it.wait(30)
    second.release()
    waiting.join()


def test_three_hosts_on_one_study_repeat_and_lose_no_trial_though_one_dies(
    database: PostgreSQL,
    server: str,
    order: Callable[..., Order],
    tmp_path: Path,
    killed: list["subprocess.Popen[str]"],
) -> None:
    (tmp_path / "meeting").mkdir()
    storage = database.create("studies")
    values = {"meeting": str(tmp_path / "meeting"), "processes": 3, "storage": storage, "trials": TRIALS}
    killed += [order(**values, hangs=hangs).start(server) for hangs in (True, False, False)]
    dying, *others = killed
    assert dying.stdout
    lost = dying.stdout.readline().strip()
    dying.kill()
    for process in others:
        ended(process)
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).get_trials()
    assert Counter(trial.state for trial in trials) == {TrialState.COMPLETE: TRIALS}
    complete = [trial.user_attrs["run_id"] for trial in trials if trial.state == TrialState.COMPLETE]
    assert len(set(complete)) == TRIALS
    assert lost in complete
