"""The way to a Ray cluster, and what is found out about it before any work."""

import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdd.training.environment import Machine
from reproduce.errors import UsageError
from reproduce.execution.cluster import cluster as ray_cluster
from reproduce.execution.cluster.launcher import launch, ray_launcher
from reproduce.execution.executor import ExecutionContext, RunLauncher, execute
from reproduce.execution.outcome import Outcome
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.planning.plan import Plan
from reproduce.tracking.store import Store
from tests.reproduce.cluster import free_port
from tests.reproduce.fakes import FakeTraining, Recorder
from tests.reproduce.said import Said

HERE = socket.gethostname()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes Ray report machines: each a host and what it offers."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")

    def has(*machines: tuple[str, dict[str, float]]) -> None:
        nodes = [
            {"Alive": True, "NodeManagerHostname": host, "Resources": offers} for host, offers in machines
        ]
        gone = {"Alive": False, "NodeManagerHostname": "gone", "Resources": {}}
        monkeypatch.setattr(ray, "nodes", lambda: [*nodes, gone])
        total = {"GPU": sum(offers.get("GPU", 0) for _, offers in machines)}
        monkeypatch.setattr(ray, "cluster_resources", lambda: total)

    return has


@pytest.fixture
def job(store: Store, listener: Recorder, training: FakeTraining) -> ExecutionContext:
    return ExecutionContext(
        store=store,
        workspace=store.workspace,
        published=store.workspace.scale_folder("mini"),
        experiment="1",
        parent=None,
        train=training,
        machine=Machine(),
        listener=listener,
    )


def test_without_ray_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"not installed: pip install '\.\[cluster\]'"), ray_launcher(None):
        pass


def test_an_address_where_nothing_listens_is_refused_at_once_with_what_to_do() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")
    address = f"127.0.0.1:{free_port()}"
    words = rf"no Ray cluster takes us in at {address} \(.*refused\): start one"
    with pytest.raises(UsageError, match=words), ray_launcher(address):
        pass


@pytest.mark.parametrize("error", [ConnectionError, RuntimeError])
def test_a_cluster_that_refuses_us_is_a_usage_error(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")

    def init(**settings: Any) -> None:
        raise error("no token\nand much more")

    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(UsageError, match=r"takes us in at auto \(no token\): start one"),
        ray_launcher("auto"),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--address", "auto"), "--address auto is that of a Ray cluster: give --launcher ray"),
        (("--launcher", "ray", "--share-teacher", "2"), "--share-teacher 2 is for one process"),
    ],
)
def test_options_of_different_launchers_are_a_usage_error(
    words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    said = Said("table1", *words, "--results", str(tmp_path))
    assert said.code == 2
    assert message in said.err


def test_a_store_in_a_file_serves_one_machine(cluster: Callable[..., None], job: ExecutionContext) -> None:
    cluster((HERE, {"CPU": 1}), (HERE, {"CPU": 1}))
    ray_cluster.check(job)
    cluster((HERE, {"CPU": 1}), ("other", {"CPU": 1}))
    with pytest.raises(UsageError, match="which other cannot share: start `mlflow server`"):
        ray_cluster.check(job)
    store = object.__new__(Store)
    store.uri = "http://head:5000"
    ray_cluster.check(replace(job, store=store))


def test_what_no_machine_has_is_said_before_it_is_waited_for(
    cluster: Callable[..., None], job: ExecutionContext, listener: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cluster((HERE, {"CPU": 4}))
    ray_cluster.check(job)
    assert listener.warnings == []
    ray_cluster.check(replace(job, machine=Machine(device="cuda")))
    assert "No machine of the cluster has" in listener.warnings[0]
    assert "1 GPU for a run" in listener.warnings[0]


def test_a_run_takes_a_gpu_where_there_is_one(
    cluster: Callable[..., None], job: ExecutionContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def device(name: str) -> str:
        order = ray_cluster.order(replace(job, machine=Machine(device=name)), tmp_path / "token")
        return order.machine.device

    cluster((HERE, {"CPU": 1}))
    assert [device(name) for name in ("auto", "cpu")] == ["auto", "cpu"]
    cluster((HERE, {"CPU": 1}), (HERE, {"CPU": 1, "GPU": 2}))
    assert [device(name) for name in ("auto", "cpu", "cuda:1")] == ["cuda", "cpu", "cuda"]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert ray_cluster.resources(Machine(device="cuda")) == {"num_cpus": 1, "num_gpus": 1}
    assert ray_cluster.resources(Machine(device="auto")) == {"num_cpus": 1}


def test_a_run_takes_as_many_cores_as_the_user_gives_it_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    assert ray_cluster.resources(Machine(device="cpu")) == {"num_cpus": 3}


def test_a_task_is_told_full_paths_and_mlflows_settings_alone(
    cluster: Callable[..., None], job: ExecutionContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster((HERE, {"CPU": 1}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    order = ray_cluster.order(replace(job, machine=Machine(data_root=Path("data"))), tmp_path / "token")
    assert order.machine.data_root == tmp_path / "data"
    assert order.settings["MLFLOW_TRACKING_TOKEN"] == "secret"
    assert all(name.startswith("MLFLOW_") for name in order.settings)


def test_a_plan_without_work_needs_no_cluster(
    run: Callable[..., list[RenderedArtifact]], training: FakeTraining, session: Callable[..., Any]
) -> None:
    run()
    (drawn,) = session(launch=launch).run(training)
    assert {outcome.state for outcome in drawn.outcomes.values()} == {"reused"}


def test_runs_that_ended_on_other_machines_get_their_records_here(
    run: Callable[..., list[RenderedArtifact]],
    session: Callable[..., Any],
    training: FakeTraining,
    results: Path,
) -> None:
    def elsewhere(plan: Plan, job: ExecutionContext) -> dict[str, Outcome]:
        outcomes = execute(plan, job)
        for record in job.published.rglob("runs/*.json"):
            record.unlink()
        return outcomes

    launcher: RunLauncher = elsewhere
    (drawn,) = session(launch=launcher).run(training)
    records = {record.stem for record in (results / "mini" / "runs").glob("*.json")}
    assert records == drawn.outcomes.keys()
