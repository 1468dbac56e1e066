"""`run(recipe, folder)`: the only entry point that trains."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from cdd.compactor.deploy import deploy, with_pruned_channels_zeroed
from cdd.compactor.slim import restored
from cdd.data.records import Dataset
from cdd.data.registry import load
from cdd.errors import CheckpointError
from cdd.models.deployed import channels_of, save_deployed
from cdd.recipe import Recipe
from cdd.result import DEPLOYED, DISTILLER, WEIGHTS, Epoch, Result, load_result
from cdd.tensor_files import write_tensors
from cdd.training import checkpoint
from cdd.training.distributed.launch import init_process_group, world_size
from cdd.training.distributed.process_group import ProcessGroup
from cdd.training.environment import (
    Machine,
    autocast_dtype,
    describe,
    prepare,
    select_device,
    threads_restored,
)
from cdd.training.evaluator import Evaluator, require_equal
from cdd.training.multi_student import UNSHARED as BY_ITSELF
from cdd.training.multi_student import current_slot
from cdd.training.networks import IMAGENET, to_device_channels_last
from cdd.training.observer import Observer, Progress
from cdd.training.trainer import Trainer


def run(
    recipe: Recipe,
    folder: Path,
    *,
    weights: Mapping[str, Path],
    machine: Machine | None = None,
    observer: Observer | None = None,
) -> Result:
    """Trains the recipe, prunes and folds the student, evaluates what is deployed.

    Continues from the newest readable checkpoint in `folder`; returns the stored result at once if the run
    has finished. Students of one `MultiStudentScheduler` share training batches and the teacher's
    outputs. Under torchrun all processes call this function and get the same result: they share each batch;
    rank 0 evaluates, writes files and calls the observer.

    Args:
        recipe: the run.
        folder: where checkpoints, weights and the result are written; one run each.
        weights: the file `weights.pt` of every dependency, by run id.
        machine: where to compute, where to find data and ImageNet weights.
        observer: called after every iteration and epoch.

    Raises:
        RunError: if the training diverges, a checkpoint cannot be written or none can be read, the
            deployed network does not compute what the student does, or another process has failed.
        ValueError: for a recipe that does not fit the data, the device or the number of processes.
    """
    machine = machine or Machine()
    if world_size() > 1 and current_slot() is not BY_ITSELF:
        raise ValueError(
            f"co-trained students train in one process, but torchrun has started {world_size()}: train "
            "them one after another, or without torchrun"
        )
    ranks = init_process_group(
        select_device(machine.device), synchronised_batch_norm=machine.synchronised_batch_norm
    )
    finished = ranks.run_on_rank_zero(_finished, folder)
    if finished:
        return finished
    with threads_restored():
        training_run = ranks.run_on_all_ranks(_Run, recipe, folder, weights, machine, ranks)
        return training_run.complete(observer if observer and ranks.is_first else Observer())


def _finished(folder: Path) -> Result | None:
    folder.mkdir(parents=True, exist_ok=True)
    result = load_result(folder)
    if result:
        checkpoint.discard(folder)
    return result


class _Run:
    """One call of `run`: training from the newest checkpoint to the end."""

    def __init__(
        self, recipe: Recipe, folder: Path, weights: Mapping[str, Path], machine: Machine, ranks: ProcessGroup
    ):
        self.recipe, self.folder, self.machine, self.ranks = recipe, folder, machine, ranks
        self.device = ranks.local_device(prepare(machine))
        self.slot = current_slot()
        self.dataset = self.slot.shared((Dataset, recipe.data), lambda: load(recipe.data, machine.data_root))
        state, self.damaged = checkpoint.read_newest(folder)
        # A resumed run keeps the precision and the number of threads of its first start.
        if state and "threads" in state:
            torch.set_num_threads(state["threads"])
        self.dtype = getattr(torch, state["dtype"]) if state else autocast_dtype(recipe, self.device)
        files = {**weights, IMAGENET: machine.imagenet} if machine.imagenet else weights
        self.training = Trainer(
            recipe, self.dataset, files, self.device, self.dtype, compiled=machine.compiled
        )
        self.appraiser = Evaluator(recipe, self.dataset, self.device)
        self.history = [Epoch(**epoch) for epoch in state["history"]] if state else []
        self.seconds = state["seconds"] if state else 0.0
        self.co_trained_students = state.get("co_trained_students", 0) if state else 0
        teacher_weights = weights.get(recipe.teacher.run_id) if recipe.teacher else None
        self.teacher_folder = teacher_weights.parent if teacher_weights else None
        if state:
            self.training.load_state(state["training"])

    def complete(self, observer: Observer) -> Result:
        """The result, after the remaining training, deployment and evaluation."""
        self._require_common_start()
        if not self.history:
            self.training.prepare(self.teacher_folder)
        self.ranks.run_on_rank_zero(self._notify_start, observer)
        for number in range(len(self.history) + 1, self.recipe.schedule.epochs + 1):
            started = self.slot.seconds()
            metrics = self._train_epoch(number, observer)
            metrics = self.ranks.run_on_rank_zero(self._evaluated, number, metrics)
            self.history.append(Epoch(number=number, metrics=metrics))
            self.seconds += self.slot.seconds() - started
            self.co_trained_students = max(self.co_trained_students, self.slot.co_trained_students)
            self.ranks.run_on_rank_zero(self._save_epoch, observer)
        return self.ranks.run_on_rank_zero(self._finish)

    def _require_common_start(self) -> None:
        starts = self.ranks.all_gather_object((len(self.history), self.dataset.digest, str(self.dtype)))
        if len(set(starts)) > 1:
            descriptions = "; ".join(f"process {rank}: {start}" for rank, start in enumerate(starts))
            raise CheckpointError(
                f"the processes do not start from the same state (epochs done, data, precision): "
                f"{descriptions}. All of them need the same files in {self.folder} and below the data root, "
                "and devices of one kind."
            )

    def _notify_start(self, observer: Observer) -> None:
        observer.loaded(self.dataset)
        for epoch in self.history:
            observer.epoch_finished(epoch)

    def _save_epoch(self, observer: Observer) -> None:
        checkpoint.write(self.folder, len(self.history), self._state())
        observer.epoch_finished(self.history[-1])

    def _finish(self) -> Result:
        result = self._result()
        result.save(self.folder)
        checkpoint.discard(self.folder)
        return result

    def _train_epoch(self, number: int, observer: Observer) -> dict[str, float]:
        epochs = self.recipe.schedule.epochs

        def stepped(iteration: int, iterations: int, loss: float) -> None:
            step = (number - 1) * iterations + iteration
            observer.stepped(
                Progress(epoch=number, epochs=epochs, step=step, steps=epochs * iterations, loss=loss)
            )

        return self.training.train_epoch(number, stepped)

    def _evaluated(self, number: int, metrics: dict[str, float]) -> dict[str, float]:
        student, kept = self.training.student, self.training.distiller.kept_channels()
        if kept is not None:
            metrics |= self.appraiser.cost(student, kept)
        if number % self.recipe.evaluate_every == 0 or number == self.recipe.schedule.epochs:
            metrics |= self.appraiser.accuracy(student, self.appraiser.embed(student)).metrics
        return metrics

    def _result(self) -> Result:
        appraiser, student = self.appraiser, restored(self.training.student)
        kept = self.training.distiller.kept_channels()
        deployed = to_device_channels_last(deploy(student, self.recipe.student, kept), self.device)
        embeddings, student_embeddings = appraiser.embed(deployed), appraiser.embed(student)
        require_equal(
            embeddings,
            student_embeddings
            if kept is None
            else appraiser.embed(with_pruned_channels_zeroed(student, kept)),
        )
        save_deployed(deployed.cpu(), self.recipe.student, self.folder / DEPLOYED)
        write_tensors(self.folder / WEIGHTS, student.state_dict())
        if self.recipe.method.preparation is not None:
            write_tensors(self.folder / DISTILLER, self.training.distiller.state_dict())
        accuracy = appraiser.accuracy(deployed, embeddings)
        metrics = {**accuracy.metrics, **appraiser.cost(student, kept), **appraiser.reduction()}
        metrics["deployment_difference"] = float((student_embeddings - embeddings).abs().max())
        return Result(
            run_id=self.recipe.run_id,
            metrics={**metrics, "seconds": self.seconds},
            history=self.history,
            channels=channels_of(deployed) if kept or student.folded else None,
            average_precision=accuracy.by_query,
            rank1_correct=accuracy.rank1_correct,
            query_identities=appraiser.query_identities(),
            chance_precision=appraiser.chance_precision(),
            environment=self._environment(),
        )

    def _environment(self) -> dict[str, Any]:
        machine, dataset = self.machine, self.dataset
        values = {**describe(self.device, self.dtype), "data_digest": dataset.digest}
        values |= {"data_layout": dataset.layout, "data_remarks": list(dataset.remarks)}
        values |= {"compiled": machine.compiled, "deterministic": machine.deterministic}
        if self.ranks.count > 1:
            values |= {
                "processes": self.ranks.count,
                "synchronised_batch_norm": machine.synchronised_batch_norm,
            }
        return (
            {**values, "co_trained_students": self.co_trained_students}
            if self.co_trained_students
            else values
        )

    def _state(self) -> dict[str, Any]:
        return {
            "training": self.training.state(),
            "history": [asdict(epoch) for epoch in self.history],
            "seconds": self.seconds,
            "co_trained_students": self.co_trained_students,
            "threads": torch.get_num_threads(),
            "dtype": str(self.dtype).removeprefix("torch."),
        }
