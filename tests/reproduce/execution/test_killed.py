"""Kill -9 at any moment: the same command goes on, and nothing tells its results from unbroken ones."""

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import torch

from cdd.models.deployed import load_deployed
from reproduce.storage.provenance import ROOT
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.connection import tracking_uri
from reproduce.tracking.store import Store
from tests.reproduce.commands import MINUTES, Moment, command, ended, prepared, results_of, start
from tests.reproduce.fakes import CODE

SEED = 11
RUNS = 3
"""Pretraining, teacher and student of the two rows."""

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


def stopped(folder: Path, run_id: str, moment: Moment, with_signal: signal.Signals, code: int) -> None:
    """Starts the command and stops it in this run at this moment."""
    process = start(folder)
    moment.wait(folder / "checkpoints" / run_id, process)
    process.send_signal(with_signal)
    _, said = process.communicate(timeout=60 * MINUTES)
    assert process.returncode == code, said


def moments(generator: random.Random) -> list[Moment]:
    """In an epoch, while a checkpoint is written, while the result is delivered."""
    return [
        Moment("epoch_0002.ckpt", generator.uniform(0.02, 0.2)),
        Moment("epoch_0003.*", 0.0),
        Moment("result.json", generator.uniform(0.0, 1.0)),
    ]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Path]:
    """Results of the command that nobody disturbed."""
    folder = prepared(tmp_path_factory.mktemp("unbroken") / "results", empty_database)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        ended(start(folder))
    yield folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, unbroken: Path) -> Iterator[Path]:
    """Results of the command that was interrupted, killed three times, in another run each, and let be."""
    folder = prepared(tmp_path_factory.mktemp("killed") / "results", empty_database)
    generator = random.Random(SEED)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        order = json.loads(
            subprocess.check_output(command(folder, "--format", "json", verb="plan"), cwd=ROOT, text=True)
        )
        run_ids = [item["run_id"] for item in order["runs"]]
        assert len(run_ids) == RUNS
        chosen = moments(generator)
        generator.shuffle(chosen)
        stopped(folder, run_ids[0], Moment("epoch_0001.ckpt", 0.0), signal.SIGINT, code=130)
        for run_id, moment in zip(run_ids, chosen, strict=True):
            stopped(folder, run_id, moment, signal.SIGKILL, code=-signal.SIGKILL)
        ended(start(folder))
    yield folder


def test_a_killed_run_ends_with_the_same_weights_bit_for_bit(unbroken: Path, killed: Path) -> None:
    wanted, found = results_of(unbroken), results_of(killed)
    assert len(wanted) == RUNS
    assert wanted.keys() == found.keys()
    for run_id in wanted:
        states = [torch.load(folder / "checkpoints" / run_id / "weights.pt") for folder in (unbroken, killed)]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_killed_run_ends_with_the_same_numbers(unbroken: Path, killed: Path) -> None:
    wanted, found = results_of(unbroken), results_of(killed)
    for run_id, result in wanted.items():
        other = found[run_id]
        assert other.history == result.history
        assert other.channels == result.channels
        assert other.average_precision == result.average_precision
        del other.metrics["seconds"], result.metrics["seconds"]
        assert other.metrics == result.metrics
    tables = [next(folder.rglob("table1.csv")).read_text() for folder in (unbroken, killed)]
    assert tables[0] == tables[1]


def test_the_logged_model_of_a_killed_run_is_its_deployed_network(killed: Path) -> None:
    store = Store(tracking_uri(killed), ResultsFolder(killed.resolve()), CODE)
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    for run_id, (stored,) in store.trainings().items():
        model = mlflow.pytorch.load_model(stored.tags["cdd.model"])
        network = load_deployed(killed / "checkpoints" / run_id / "deployed.pt").eval()
        with torch.no_grad():
            torch.testing.assert_close(model(images), network(images))


def test_no_metric_of_a_killed_run_has_two_points_at_one_step(killed: Path) -> None:
    store = Store(tracking_uri(killed), ResultsFolder(killed.resolve()), CODE)
    trainings = store.trainings()
    assert len(trainings) == RUNS
    for run_id, runs in trainings.items():
        (stored,) = runs
        assert stored.status == "FINISHED"
        metrics = store.client.get_run(stored.mlflow_id).data.metrics
        steps = {
            name: [point.step for point in store.client.get_metric_history(stored.mlflow_id, name)]
            for name in metrics
        }
        assert sorted(steps["loss/total"]) == [1, 2, 3, 4], run_id
        assert any(name.startswith("system/") for name in steps)
        for name, found in steps.items():
            assert len(set(found)) == len(found), f"{name} of {run_id}: {sorted(found)}"


def test_a_killed_table_leaves_no_parent_running(killed: Path) -> None:
    store = Store(tracking_uri(killed), ResultsFolder(killed.resolve()), CODE)
    experiments = [found.experiment_id for found in store.client.search_experiments()]
    parents = store.client.search_runs(experiments, "tags.`cdd.kind` = 'invocation'")
    # Where the last kill came after all was delivered, the last command had nothing to train.
    assert len(parents) in (4, 5)
    assert sorted(found.info.status for found in parents) == ["FINISHED", *["KILLED"] * 4][-len(parents) :]


def test_two_processes_share_the_work_and_train_nothing_twice(tmp_path: Path, empty_database: Path) -> None:
    folder = prepared(tmp_path / "results", empty_database)
    processes = [start(folder), start(folder)]
    said = [ended(process) for process in processes]
    assert any("is being run by another process: waiting" in text for text in said)
    trainings = Store(tracking_uri(folder), ResultsFolder(folder.resolve()), CODE).trainings()
    assert [len(runs) for runs in trainings.values()] == [1] * RUNS
    epochs = [line for text in said for line in text.splitlines() if "  loss " in line]
    assert len(epochs) == 4 * RUNS
