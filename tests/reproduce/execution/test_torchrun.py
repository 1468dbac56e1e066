"""One command in two processes: it trains together, goes on after a kill, and ends together."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from typer.testing import CliRunner

from cdd.result import load_result
from cdd.training.distributed.process_group import ProcessGroup
from cdd.training.environment import Machine
from reproduce.cli.app import app
from reproduce.errors import ProcessesLostError, UsageError
from reproduce.execution import torchrun as processes
from reproduce.execution import torchrun_environment
from reproduce.execution.torchrun import distributed_train
from reproduce.storage.provenance import ROOT
from tests.reproduce.commands import Moment, prepared
from tests.reproduce.two_rows import TINY
from tests.training.torchrun import torchrun

MINUTES = 5
SHORT = [
    *(change.replace("epochs=4", "epochs=2").replace("every=4", "every=2") for change in TINY),
    "initialisation=random",
]


def start(results: Path) -> subprocess.Popen[str]:
    """The command on two processes."""
    words = [word for change in SHORT for word in ("--set", change)]
    arguments = ["table1", "--results", str(results), "--device", "cpu", *words]
    return subprocess.Popen(
        torchrun(2, "tests.reproduce.two_rows", *arguments),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def planned(results: Path) -> list[str]:
    """Run ids, in the order of training."""
    words = [word for change in SHORT for word in ("--set", change)]
    plan = [sys.executable, "-m", "tests.reproduce.two_rows", "plan", "table1", "--results", str(results)]
    found = json.loads(subprocess.check_output([*plan, *words, "--format", "json"], cwd=ROOT, text=True))
    return [item["run_id"] for item in found["runs"]]


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_a_killed_command_goes_on_and_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    broken, unbroken = prepared(tmp_path / "broken", empty_database), tmp_path / "unbroken"
    student = planned(broken)[-1]
    begun = start(broken)
    # Its masks and queues are in its checkpoint.
    Moment(f"checkpoints/{student}/epoch_0001.ckpt", 0.0).wait(broken, begun)
    workers = psutil.Process(begun.pid).children()
    workers[0].kill()
    begun.communicate(timeout=60 * MINUTES)
    assert not any(worker.is_running() for worker in workers)
    shutil.copytree(broken, unbroken)
    shutil.rmtree(unbroken / "checkpoints" / student)
    both = [start(folder) for folder in (broken, unbroken)]
    said = [command.communicate(timeout=60 * MINUTES)[1] for command in both]
    # The first process alone reports.
    assert [text.count("epoch 2/2") for text in said] == [1, 1], said
    assert ": resume (" in said[0]
    assert ": resume (" not in said[1]
    found, wanted = (torch.load(f / "checkpoints" / student / "weights.pt") for f in (broken, unbroken))
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    result = load_result(broken / "checkpoints" / student)
    assert result is not None
    assert result.environment["processes"] == 2


class Two(ProcessGroup):
    """Stands for the first of two processes: remembers what it says, and may find nobody at a meeting."""

    count = 2

    def __init__(self, *, come: bool = True) -> None:
        self.said: list[Any] = []
        self.come = come

    def broadcast_object(self, value: Any) -> Any:
        self.said.append(value)
        return value

    def barrier(self, seconds: float) -> None:
        if not self.come:
            raise RuntimeError("rank 1 has not come")


class Second(ProcessGroup):
    """Stands for the second of two processes: is told jobs."""

    rank, count = 1, 2

    def __init__(self, *jobs: Any) -> None:
        self.jobs = iter([*jobs, None])

    def broadcast_object(self, value: Any) -> Any:
        return next(self.jobs)


def joined(ranks: ProcessGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reproduce.execution.torchrun.init_process_group", lambda device, synchronised_batch_norm: ranks
    )


CPU = Machine(device="cpu")


def train(recipe: str, *, weights: dict[str, Path], observer: object = None) -> Any:
    if recipe == "wrong":
        raise ValueError("this recipe cannot be trained")
    return SimpleNamespace(run_id=observer)


def test_one_process_trains_by_the_function_itself() -> None:
    with distributed_train(train, CPU) as found:
        assert found is train


def test_the_others_are_told_what_is_trained_and_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = Two()
    joined(ranks, monkeypatch)
    with distributed_train(train, CPU) as found:
        assert found("recipe", weights={}, observer="display").run_id == "display"
    assert ranks.said == [(train, ("recipe",), {"weights": {}}), None]


def test_a_failed_training_leaves_the_others_ready_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = Two()
    joined(ranks, monkeypatch)
    with distributed_train(train, CPU) as found:
        with pytest.raises(ValueError, match="cannot be trained"):
            found("wrong", weights={})
        found("recipe", weights={})
    assert [said and said[1] for said in ranks.said] == [("wrong",), ("recipe",), None]


def test_a_failure_that_others_do_not_share_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = Two(come=False)
    joined(ranks, monkeypatch)
    with (
        pytest.raises(ProcessesLostError, match="process 0 of 2 .*this recipe cannot be trained"),
        distributed_train(train, CPU) as found,
    ):
        found("wrong", weights={})
    assert None not in ranks.said, "nobody listens any more"


def test_a_follower_trains_what_it_is_told_until_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []

    def noted(recipe: str, **named: Any) -> None:
        trained.append(recipe)
        train(recipe, **named)

    jobs: list[Any] = [(noted, (recipe,), {"weights": {}}) for recipe in ("one", "wrong", "two")]
    joined(Second(*jobs), monkeypatch)
    processes.serve_as_worker(CPU)
    assert trained == ["one", "wrong", "two"]


def test_an_unusable_device_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(UsageError, match="'tpu' is not available"),
        distributed_train(train, Machine(device="tpu")),
    ):
        pass


@pytest.mark.parametrize(("rank", "expected"), [("0", False), ("1", True)])
def test_processes_other_than_the_first_follow(rank, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not torchrun_environment.is_worker()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    assert torchrun_environment.is_worker() is expected


def test_ray_and_torchrun_are_not_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "run"), ("WORLD_SIZE", "2"), ("RANK", "0")):
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["table1", "--launcher", "ray"])
    assert done.exit_code == 2
    assert "without torchrun" in done.output
