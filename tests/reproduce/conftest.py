"""A suite of small tables whose trainings are fakes, on a tracking store of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import torch

from cdd.data.embedded import EMBEDDED
from cdd.models.deployed import save_deployed
from cdd.models.network import RetrievalNetwork
from cdd.training.environment import Machine
from experiments.registry import Summary
from experiments.schema.table import Table
from reproduce.execution.executor import RunLauncher, execute
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.storage.results_folder import REFERENCE, ResultsFolder
from reproduce.studies.study import RowStudy
from reproduce.studies.target import StudyRequest
from reproduce.tracking import connection
from reproduce.tracking.store import Store
from tests.reproduce.archives import packed_student
from tests.reproduce.fakes import CODE, STUDENT, TEACHER, FakeTraining, Recorder, table
from tests.reproduce.row_studies import MakeStudy
from tests.small import BACKBONE, small_dataset


@pytest.fixture(autouse=True)
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An empty reference instead of the committed one, except for tests that are marked `committed`."""
    if request.node.get_closest_marker("committed"):
        return REFERENCE
    folder = tmp_path / "reference"
    monkeypatch.setattr("reproduce.storage.results_folder.REFERENCE", folder)
    return folder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables made, which takes MLflow seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    connection.prepare()
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def results(tmp_path: Path, empty_database: Path) -> Path:
    """A results folder whose store is ready and empty."""
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployed network of four narrow blocks."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("deployed") / "deployed.pt"
    network = RetrievalNetwork(BACKBONE, identities=8, channels=[1, 2, 3, 4], folded=True)
    save_deployed(network, BACKBONE, path)
    return path


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, deployed: Path) -> Path:
    """The file of a finished student, made without a store."""
    return packed_student(tmp_path_factory.mktemp("run"), deployed)


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the model artifact, which takes MLflow seconds."""
    monkeypatch.setattr("reproduce.tracking.training_run.log_deployed", lambda *arguments: "models:/left-out")


@pytest.fixture
def training(deployed: Path, without_model: None) -> FakeTraining:
    """A training that takes no time."""
    return FakeTraining(deployed)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, Table]:
    """What the catalog finds: a table of a teacher and its student; tests may add others."""
    found = {"tiny": table(TEACHER, STUDENT)}
    monkeypatch.setattr("experiments.registry.find", found.__getitem__)
    return found


@pytest.fixture
def listener() -> Recorder:
    return Recorder()


@pytest.fixture
def session(
    results: Path, tables: dict[str, Table], listener: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ArtifactPipeline]:
    """Makes a session of the table `tiny`, or of others."""
    monkeypatch.setattr("reproduce.pipeline.artifact_pipeline.code_version", lambda: CODE)
    monkeypatch.setattr("reproduce.tables.pdf.page", lambda sheet: b"%PDF-left-out")

    def make(*names: str, launch: RunLauncher = execute, **request: object) -> ArtifactPipeline:
        values = {
            "results": results,
            "machine": Machine(device="cpu"),
            "scale": "mini",
            "seeds": [0],
            **request,
        }
        found = RunOptions(names=list(names) or ["tiny"], **values)  # type: ignore[arg-type]
        return ArtifactPipeline(found, listener, launch)

    return make


@pytest.fixture
def run(
    session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> Callable[..., list[RenderedArtifact]]:
    """Runs a session with the fake training."""
    return lambda *names, **request: session(*names, **request).run(training)


@pytest.fixture
def workspace(results: Path) -> ResultsFolder:
    return ResultsFolder(results.resolve())


@pytest.fixture
def store(workspace: ResultsFolder) -> Store:
    """The store of the results folder."""
    return Store(connection.tracking_uri(workspace.results), workspace, CODE)


@pytest.fixture
def study(
    results: Path, tables: dict[str, Table], listener: Recorder, monkeypatch: pytest.MonkeyPatch
) -> MakeStudy:
    """Makes a study of the student's weight in the table `tiny`."""
    monkeypatch.setattr("reproduce.studies.study.code_version", lambda: CODE)

    def make(**request: object) -> RowStudy:
        values = {"space": "weight", "artifact": "tiny", "method": "capacitydynamic", "trials": 3}
        values |= {"prunes": False, "results": results, **request}
        return RowStudy(StudyRequest(machine=Machine(device="cpu"), **values), listener)  # type: ignore[arg-type]

    return make


@pytest.fixture
def two_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow sets its variable to the store that a process opened last; here each folder has its own."""
    monkeypatch.setattr("reproduce.tracking.connection.VARIABLE", "NO_SUCH_VARIABLE")


@pytest.fixture
def cluster(
    run: Callable[..., list[RenderedArtifact]],
    results: Path,
    tables: dict[str, Table],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A results folder in which a teacher and its student have finished."""
    monkeypatch.setitem(EMBEDDED, "household", small_dataset)
    monkeypatch.setattr("experiments.registry.summaries", lambda: [Summary(name, "", "") for name in tables])
    run()
    return results


@pytest.fixture
def laptop(tmp_path: Path, empty_database: Path, two_stores: None) -> Path:
    """Another results folder, whose store is empty."""
    folder = tmp_path / "laptop"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder
