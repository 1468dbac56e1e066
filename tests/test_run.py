"""One training from its recipe to the deployed network; interrupted, damaged, diverging."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import cdd.run
from cdd.compactor.deploy import deploy
from cdd.contract import Distiller
from cdd.data.records import Dataset
from cdd.errors import DataError, DivergenceError, RunError
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.models.deployed import load_deployed
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Optimiser, Recipe, Schedule
from cdd.result import Epoch, Result, load_result
from cdd.run import run
from cdd.training.environment import Machine
from cdd.training.observer import Observer, Progress
from tests.small import SCHEDULE, small_dataset, student_recipe, teacher_recipe

CPU = Machine(device="cpu")
FLAT = SCHEDULE.model_copy(update={"peak_learning_rate": 1e12})


class Interruption(Exception):
    """Stands for whatever ends a process."""


class Recorder(Observer):
    """Remembers what it was told; interrupts after an iteration if asked to."""

    def __init__(self, stop_after: int | None = None):
        self.epochs: list[Epoch] = []
        self.steps: list[Progress] = []
        self.stop_after = stop_after

    def stepped(self, progress: Progress) -> None:
        self.steps.append(progress)
        if len(self.steps) == self.stop_after:
            raise Interruption

    def epoch_finished(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def load(data: object, data_root: Path | None = None) -> Dataset:
        return small_dataset(16, 16)

    monkeypatch.setattr(cdd.run, "load", load)
    yield


@pytest.fixture(scope="module")
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("teacher")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cdd.run, "load", lambda data, data_root=None: small_dataset(16, 16))
        run(teacher_recipe(), folder, weights={}, machine=CPU)
    yield {teacher_recipe().run_id: folder / "weights.pt"}


def complete(folder: Path, weights: dict[str, Path], recipe: Recipe | None = None) -> Result:
    return run(recipe or student_recipe(), folder, weights=weights, machine=CPU)


def test_a_finished_run_has_everything_a_table_needs(
    tmp_path: Path, teacher_weights: dict[str, Path]
) -> None:
    result = complete(tmp_path, teacher_weights)
    assert result.run_id == student_recipe().run_id
    assert [epoch.number for epoch in result.history] == [1, 2, 3]
    for protocol in ("camera_rule", "cross_camera"):
        assert 0 < result.metrics[f"{protocol}/mAP"] <= 1
        mean = sum(result.average_precision[protocol]) / len(result.average_precision[protocol])
        assert mean == pytest.approx(result.metrics[f"{protocol}/mAP"])
        first = result.rank1_correct[protocol]
        assert sum(first) / len(first) == pytest.approx(result.metrics[f"{protocol}/rank1"])
        assert len(result.query_identities[protocol]) == len(first) == len(result.average_precision[protocol])
    assert result.channels is not None
    assert result.metrics["parameters"] == result.history[-1].metrics["parameters"]
    assert result.environment["data_digest"] == "small"
    assert load_result(tmp_path) == result


def test_a_run_of_enough_steps_compresses_without_changing_the_embeddings(
    tmp_path: Path, teacher_weights: dict[str, Path]
) -> None:
    schedule = SCHEDULE.model_copy(update={"epochs": 16, "warmup_epochs": 1, "flat_until_epoch": 6})
    method = CapacityDynamic(sparsity=0.1, resetting=RetrievalGuided(queue=16, after_epoch=1, ratio=0.75))
    recipe = student_recipe(schedule=schedule, method=method, evaluate_every=16)
    result = complete(tmp_path, teacher_weights, recipe)
    assert result.channels is not None
    assert sum(result.channels) < 24
    assert result.history[-1].metrics["masked/share"] > 0
    assert result.metrics["parameters"] < result.history[0].metrics["parameters"]
    assert result.metrics["deployment_difference"] < 1e-3


def test_the_deployed_file_computes_the_students_embeddings(
    tmp_path: Path, teacher_weights: dict[str, Path]
) -> None:
    result = complete(tmp_path, teacher_weights)
    assert result.metrics["deployment_difference"] < 1e-3
    deployed = load_deployed(tmp_path / "deployed.pt")
    assert deployed(torch.randn(2, 3, 16, 16)).shape == (2, 8)


def test_a_finished_run_is_not_trained_again(tmp_path: Path, teacher_weights: dict[str, Path]) -> None:
    first = complete(tmp_path, teacher_weights)
    recorder = Recorder()
    again = run(student_recipe(), tmp_path, weights={}, machine=CPU, observer=recorder)
    assert again == first
    assert recorder.steps == []


def slimmed_recipe(every: int = 1) -> Recipe:
    """A student that has lost rows before its third epoch, and more before its fourth."""
    method = student_recipe().method.model_copy(update={"sparsity": 1.0, "slim_every": every})
    schedule = SCHEDULE.model_copy(update={"epochs": 4, "warmup_epochs": 1, "flat_until_epoch": 3})
    return student_recipe(method=method, schedule=schedule, optimiser=Optimiser(momentum=0.5))


@pytest.mark.parametrize(
    ("recipe", "stop_after"),
    [
        *((student_recipe(), step) for step in (1, 9, 14, 22)),
        *((slimmed_recipe(), step) for step in (20, 30)),
    ],
)
def test_an_interrupted_run_ends_bit_equal(
    tmp_path: Path, teacher_weights: dict[str, Path], recipe: Recipe, stop_after: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    wanted = complete(whole, teacher_weights, recipe)
    with pytest.raises(Interruption):
        run(recipe, broken, weights=teacher_weights, machine=CPU, observer=Recorder(stop_after))
    recorder = Recorder()
    found = run(recipe, broken, weights=teacher_weights, machine=CPU, observer=recorder)
    assert found.history == wanted.history
    assert [epoch.number for epoch in recorder.epochs] == [*range(1, recipe.schedule.epochs + 1)]
    for name in ("weights.pt", "deployed.pt"):
        expected, actual = torch.load(whole / name), torch.load(broken / name)
        states = (expected["state"], actual["state"]) if name == "deployed.pt" else (expected, actual)
        assert all(torch.equal(states[1][key], value) for key, value in states[0].items())


def test_a_run_goes_on_with_the_threads_that_it_began_with(
    tmp_path: Path, teacher_weights: dict[str, Path]
) -> None:
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with pytest.raises(Interruption):
            run(
                student_recipe(),
                tmp_path,
                weights=teacher_weights,
                machine=CPU,
                observer=Recorder(stop_after=14),
            )
        torch.set_num_threads(1)
        assert complete(tmp_path, teacher_weights).environment["threads"] == 3
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(usual)


def test_a_student_that_gets_smaller_says_so_and_leaves_weights_of_full_width(
    tmp_path: Path, teacher_weights: dict[str, Path]
) -> None:
    result = complete(tmp_path, teacher_weights, slimmed_recipe())
    gone = [epoch.metrics["channels/removed"] for epoch in result.history]
    assert gone[:2] == [0, 0]
    assert 0 < gone[2] < gone[3] < 24
    assert result.channels is not None
    assert sum(result.channels) <= 24 - gone[3]
    weights = torch.load(tmp_path / "weights.pt")
    compactors = [value for name, value in weights.items() if "compactor" in name]
    assert [tuple(value.shape[:2]) for value in compactors] == [(4, 4), (4, 4), (8, 8), (8, 8)]
    assert sum(int((value.flatten(1) == 0).all(dim=1).sum()) for value in compactors) == gone[3]


def test_rows_leave_only_every_so_many_epochs(tmp_path: Path, teacher_weights: dict[str, Path]) -> None:
    history = complete(tmp_path, teacher_weights, slimmed_recipe(every=3)).history
    gone = [epoch.metrics["channels/removed"] for epoch in history]
    assert gone[:3] == [0, 0, 0]
    assert gone[3] > 0


def test_a_truncated_checkpoint_costs_one_epoch_only(
    tmp_path: Path, teacher_weights: dict[str, Path]
) -> None:
    wanted = complete(tmp_path / "whole", teacher_weights)
    with pytest.raises(Interruption):
        run(student_recipe(), tmp_path, weights=teacher_weights, machine=CPU, observer=Recorder(20))
    newest = tmp_path / "epoch_0002.ckpt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert complete(tmp_path, teacher_weights).history == wanted.history


def test_seeds_differ_and_a_seed_repeats(tmp_path: Path, teacher_weights: dict[str, Path]) -> None:
    first = complete(tmp_path / "a", teacher_weights)
    again = complete(tmp_path / "b", teacher_weights)
    other = complete(tmp_path / "c", teacher_weights, student_recipe(seed=1))
    assert first.history == again.history
    assert first.history[0].metrics["loss/total"] != other.history[0].metrics["loss/total"]


def test_progress_counts_every_iteration(tmp_path: Path) -> None:
    recorder = Recorder()
    run(teacher_recipe(), tmp_path, weights={}, machine=CPU, observer=recorder)
    assert len(recorder.steps) >= 3
    assert recorder.steps[-1].epoch == recorder.steps[-1].epochs == 3
    assert recorder.steps[-1].step == recorder.steps[-1].steps


def test_a_diverging_loss_names_step_terms_and_checkpoint(tmp_path: Path) -> None:
    recipe = teacher_recipe(schedule=FLAT)
    with pytest.raises(DivergenceError, match=r"epoch \d, iteration \d+: total .*identity .*checkpoint"):
        run(recipe, tmp_path, weights={}, machine=CPU)


def test_a_student_without_its_teachers_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train it first"):
        complete(tmp_path, {})


def test_a_deployed_network_that_computes_something_else_is_not_saved(
    tmp_path: Path, teacher_weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrongly_folded(student: RetrievalNetwork, *rest: Any) -> RetrievalNetwork:
        network = deploy(student, *rest)
        with torch.no_grad():
            network.bottlenecks[0].conv3.weight[0] += 0.1
        return network

    monkeypatch.setattr("cdd.run.deploy", wrongly_folded)
    with pytest.raises(RunError, match=r"differ .* not saved"):
        complete(tmp_path, teacher_weights)
    assert not (tmp_path / "deployed.pt").exists()


def test_pruning_that_changes_the_embeddings_is_stated(
    tmp_path: Path, teacher_weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_kept(distiller: Distiller) -> list[torch.Tensor]:
        return [torch.arange(size) == 0 for size in (4, 4, 8, 8)]

    monkeypatch.setattr("cdd.methods.capacity_dynamic.CapacityDynamicDistiller.kept_channels", one_kept)
    result = complete(tmp_path, teacher_weights, student_recipe(method=CapacityDynamic(sparsity=0)))
    assert result.channels == [1, 1, 1, 1]
    assert result.metrics["deployment_difference"] > 0.01


def test_only_evaluated_epochs_have_accuracies(tmp_path: Path) -> None:
    recipe = teacher_recipe(evaluate_every=2, schedule=SCHEDULE.model_copy(update={"epochs": 5}))
    history = run(recipe, tmp_path, weights={}, machine=CPU).history
    assert [epoch.number for epoch in history if "camera_rule/mAP" in epoch.metrics] == [2, 4, 5]


def test_an_unavailable_device_names_the_usable_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'tpu' is not available.*cpu"):
        run(teacher_recipe(), tmp_path, weights={}, machine=Machine(device="tpu"))


def test_schedules_may_end_at_any_epoch(tmp_path: Path) -> None:
    short = Schedule(epochs=1, warmup_epochs=0, flat_until_epoch=0.5, step="iteration")
    assert len(run(teacher_recipe(schedule=short), tmp_path, weights={}, machine=CPU).history) == 1
