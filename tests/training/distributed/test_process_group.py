"""Two processes train what one process trains; only ordinary batch norms tell them apart."""

import os
import subprocess
from typing import Any

import pytest
import torch

from cdd.contract import CODE
from cdd.errors import CheckpointError, RunError
from cdd.recipe import Batch
from cdd.result import Result
from cdd.run import run
from cdd.training.batches import BatchStream
from cdd.training.distributed.launch import init_process_group
from cdd.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup, sync_and_check_replicas
from cdd.training.environment import Machine
from cdd.training.multi_student import MultiStudentScheduler
from reproduce.storage.provenance import ROOT
from tests.small import small_dataset, teacher_recipe
from tests.training.shared_training import CASES, Left, case, left
from tests.training.torchrun import torchrun

CPU = torch.device("cpu")
EQUAL = [name for name in CASES if name != "ordinary"]
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has stored."""
    folder = tmp_path_factory.mktemp("ranks")
    ended = subprocess.run(
        torchrun(2, "tests.training.shared_training", str(folder)),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Warning" not in ended.stderr
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def shared(stored: list[dict[str, Any]]) -> dict[str, list[Left]]:
    """What every case left in each of two processes."""
    return {name: [Left(**values[name]) for values in stored] for name in CASES}


@pytest.fixture(scope="module")
def alone() -> dict[str, Left]:
    """What every case leaves in one process."""
    return {name: left(CASES[name]) for name in CASES}


def weights(state: dict[str, Any], *without: str) -> dict[str, Any]:
    return {name: value for name, value in state.items() if not name.endswith(without)}


def close(found: Any, wanted: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)


slow = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


class TestTwoProcesses:
    pytestmark = slow

    @pytest.mark.parametrize("name", EQUAL)
    def test_losses_are_those_of_one_process(self, name, shared, alone):
        assert len(alone[name].losses) >= 4
        close(shared[name][0].losses, alone[name].losses)

    @pytest.mark.parametrize("name", EQUAL)
    def test_weights_are_those_of_one_process(self, name, shared, alone):
        # Of parts, each moves the running statistics once.
        without = BUFFERS if name == "parts" else ()
        close(weights(shared[name][0].student, *without), weights(alone[name].student, *without))

    @pytest.mark.parametrize("name", EQUAL)
    def test_masks_queues_and_adapters_are_those_of_one_process(self, name, shared, alone):
        close(shared[name][0].distiller, alone[name].distiller)

    @pytest.mark.parametrize("name", CASES)
    def test_the_processes_agree_in_every_bit(self, name, shared):
        first, second = shared[name]
        assert first.losses == second.losses
        torch.testing.assert_close(first.student, second.student, rtol=0, atol=0)
        torch.testing.assert_close(first.distiller, second.distiller, rtol=0, atol=0)

    @pytest.mark.parametrize("name", ["whole", "ordinary"])
    def test_masks_are_partly_set_so_that_the_comparison_means_something(self, name, shared):
        masks = [value for key, value in shared[name][0].distiller.items() if key.endswith("kept")]
        share = torch.cat(masks).float().mean()
        assert 0.1 < share < 0.9

    @pytest.mark.parametrize("name", ["adapters", "words"])
    def test_gradients_of_adapters_are_equal_before_they_are_averaged(self, name, shared):
        first, second = (found.distiller_gradients for found in shared[name])
        assert first
        torch.testing.assert_close(first, second, rtol=0, atol=0)

    def test_a_student_gets_smaller_in_both(self, shared):
        sizes = [v.shape for k, v in shared["slimmed"][0].student.items() if k.endswith("compactor.weight")]
        assert any(left < channels for left, channels, *_ in sizes)

    def test_ordinary_batch_norms_see_their_share_alone(self, shared, alone):
        found, wanted = shared["ordinary"][0], alone["ordinary"]
        first, one = found.losses[0]["triplet"], wanted.losses[0]["triplet"]
        assert abs(first - one) > 1e-3 * one
        moved = max((found.student[k] - v).abs().max() for k, v in weights(wanted.student, *BUFFERS).items())
        assert moved > 1e-3

    def test_they_see_what_the_parts_of_one_process_see(self, shared):
        halves = left(
            case(frozen=False, fidelity=CODE, batch=Batch(identities=4, images=2, micro_batch_size=4))
        )
        found = shared["ordinary"][0]
        close(found.losses, halves.losses)
        close(weights(found.student, *BUFFERS), weights(halves.student, *BUFFERS))
        close(found.distiller, halves.distiller)

    def test_what_fails_in_one_process_fails_in_the_other_with_its_words(self, stored):
        first, second = (values["spoken"] for values in stored)
        assert first["each"] == second["each"] == [0, 1]
        assert first["from first"] == second["from first"] == 0
        assert {heard[name] for heard in (first, second) for name in ("first_does", "all_do")} == {"done"}
        assert first["first_does, 0 fails"] == first["all_do, 0 fails"] == "ValueError: told by 0"
        assert second["first_does, 0 fails"].endswith("stopped this training: ValueError: told by 0")
        assert second["all_do, 0 fails"] == "OtherProcessError: process 0: ValueError: told by 0"
        assert first["first_does, 1 fails"] == second["first_does, 1 fails"] == "done"
        assert first["all_do, 1 fails"] == "OtherProcessError: process 1: ValueError: told by 1"
        assert "1" in first["missed"]


class Other(ProcessGroup):
    """Stands for the first of two processes, of which the second says something else."""

    count = 2

    def all_gather_object(self, value: Any) -> list[Any]:
        return [value, None]


def test_processes_whose_students_differ_are_stopped() -> None:
    layer = torch.nn.Linear(2, 2)
    sync_and_check_replicas(layer, torch.nn.Identity(), SINGLE_PROCESS)
    with pytest.raises(RunError, match="no longer have the same student"):
        sync_and_check_replicas(layer, torch.nn.Identity(), Other())


def test_processes_that_start_from_different_points_are_stopped(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("cdd.run.init_process_group", lambda device, synchronised_batch_norm: Other())
    monkeypatch.setattr("cdd.run.load", lambda data, data_root: small_dataset(16, 16))
    with pytest.raises(CheckpointError, match=r"process 0: \(0, 'small'.*; process 1: None.*the same files"):
        run(teacher_recipe(), tmp_path, weights={}, machine=Machine(device="cpu"))


class Third(ProcessGroup):
    rank, count = 2, 3


def test_processes_that_cannot_share_a_batch_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdd.training.batches.current_process_group", Third)
    with pytest.raises(ValueError, match=r"process 2 of 3 .* batch\.identities = 4: use a number of"):
        BatchStream(teacher_recipe(), small_dataset(16, 16), {}, CPU, torch.float32)


def test_a_process_that_torchrun_did_not_start_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert init_process_group(CPU, synchronised_batch_norm=True) is SINGLE_PROCESS


@pytest.mark.parametrize("device", ["mps", "cuda:1"])
def test_devices_that_cannot_be_shared_are_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"2 processes cannot share device {device}: use cpu or cuda"):
        init_process_group(torch.device(device))


def test_students_side_by_side_are_not_shared_out_as_well(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    recipes = [teacher_recipe(), teacher_recipe(seed=1)]
    room: MultiStudentScheduler[Result] = MultiStudentScheduler(recipes)
    found = room.results([lambda: run(recipes[0], tmp_path, weights={})] * 2)
    assert all("torchrun has started 2" in str(error) for error in found)
