"""A table and a training that take no time, for tests of everything between the two."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from cdd.errors import DataError
from cdd.recipe import Recipe
from cdd.result import DEPLOYED, WEIGHTS, Epoch, Result, load_result
from cdd.training.environment import Machine
from cdd.training.observer import Observer
from experiments.schema.scale import Scale
from experiments.schema.table import Column, Entry, Group, Row, Table
from reproduce.execution.listener import Listener
from reproduce.planning.plan import PlannedRun
from reproduce.storage.provenance import CodeVersion
from tests.small import student_recipe, teacher_recipe

CODE = CodeVersion("0123456789abcdef0123456789abcdef01234567", dirty=False)
PARAMETERS = Column(name="MP", unit="M", metric="parameters", factor=1e-6, better="lower", relative="percent")
ACCURACY = Column(
    name="mAP", unit="%", metric="{protocol}/mAP", factor=100, better="higher", relative="difference"
)
GROUP = Group(
    title="Shelf", protocol="camera_rule", protocol_text="own camera excluded", columns=(PARAMETERS, ACCURACY)
)
HISTORY = "epochs.json"
"""Where the fake keeps finished epochs; the real training has checkpoints."""


def a_teacher(scale: Scale, seed: int) -> Recipe:
    """The teacher's run; the same at every scale."""
    return teacher_recipe(seed=seed)


def a_student(scale: Scale, seed: int) -> Recipe:
    """A student of the teacher with the same seed."""
    return student_recipe(seed=seed, teacher=a_teacher(scale, seed))


def row(label: str, recipe: Callable[[Scale, int], Recipe] | None, **paper: float) -> Row:
    """A row of one group."""
    return Row(label=label, entries={GROUP.title: Entry(recipe=recipe, paper=paper)}, reported=recipe is None)


TEACHER = row("Teacher", a_teacher, MP=40.0, mAP=80.0)
STUDENT = row("Student", a_student, MP=10.0, mAP=79.5)


def table(*rows: Row, name: str = "tiny") -> Table:
    """A table of one group whose first row is the reference."""
    return Table(
        name=name,
        title="Two networks on a shelf",
        source="Somebody, CONF 2023, Table 9",
        headings=("Method",),
        groups=(GROUP,),
        rows=rows,
        reference=rows[0].label,
    )


def accuracy(recipe: Recipe) -> float:
    """The fake's accuracy: a fraction that belongs to this run alone."""
    return int(recipe.run_id[:4], 16) / 2**16


def epoch(recipe: Recipe, number: int) -> Epoch:
    """What the fake measures in one epoch."""
    loss = accuracy(recipe) + 1 / number
    return Epoch(number=number, metrics={"loss/total": loss, "camera_rule/mAP": accuracy(recipe) / number})


class FakeTraining:
    """Does what `cdd.run.run` promises, without learning anything.

    Attributes:
        begun: run ids in the order in which trainings began or went on.
        epochs: every epoch that was really trained.
        before_epoch: called before every epoch; may raise.
        metrics: further metrics of a finished run.
    """

    def __init__(self, deployed: Path):
        self.deployed = deployed
        self.begun: list[str] = []
        self.epochs: list[tuple[str, int]] = []
        self.before_epoch: Callable[[Recipe, int], None] = lambda recipe, number: None
        self.metrics: Callable[[Recipe], dict[str, float]] = lambda recipe: {}

    def __call__(
        self,
        recipe: Recipe,
        folder: Path,
        *,
        weights: Mapping[str, Path],
        machine: Machine | None = None,
        observer: Observer | None = None,
    ) -> Result:
        """Goes on from the epochs in the folder to the result."""
        folder.mkdir(parents=True, exist_ok=True)
        finished = load_result(folder)
        if finished:
            return finished
        if any(not weights[before.run_id].exists() for before in recipe.dependencies):
            raise DataError("train it first")
        self.begun.append(recipe.run_id)
        history = self._history(recipe, folder, observer or Observer())
        shutil.copy(self.deployed, folder / DEPLOYED)
        torch.save({"accuracy": torch.tensor(accuracy(recipe))}, folder / WEIGHTS)
        result = _result(recipe, history, self.metrics(recipe))
        result.save(folder)
        return result

    def _history(self, recipe: Recipe, folder: Path, observer: Observer) -> list[Epoch]:
        path = folder / HISTORY
        history = [Epoch(**values) for values in json.loads(path.read_text())] if path.exists() else []
        for known in history:
            observer.epoch_finished(known)
        for number in range(len(history) + 1, recipe.schedule.epochs + 1):
            self.before_epoch(recipe, number)
            self.epochs.append((recipe.run_id, number))
            history.append(epoch(recipe, number))
            path.write_text(json.dumps([asdict(found) for found in history]))
            observer.epoch_finished(history[-1])
        return history


def _result(recipe: Recipe, history: list[Epoch], more: dict[str, float]) -> Result:
    return Result(
        run_id=recipe.run_id,
        metrics={
            "camera_rule/mAP": accuracy(recipe),
            "parameters": 1e6 if recipe.teacher else 4e6,
            "seconds": 6.0,
            **more,
        },
        history=history,
        channels=[1, 2, 3, 4] if recipe.compactors else None,
        average_precision={"camera_rule": [accuracy(recipe)]},
        environment={"device": "cpu", "data_digest": "0123456789abcdef" * 4, "python": "3.12.0"},
    )


class Recorder(Listener):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[PlannedRun] = []
        self.counted: list[tuple[int, int]] = []
        self.ended: list[str] = []
        self.warnings: list[str] = []
        self.epochs: list[int] = []

    def run_started(self, item: PlannedRun, number: int, runs: int) -> None:
        self.started.append(item)
        self.counted.append((number, runs))

    def run_ended(self, item: PlannedRun, outcome: str) -> None:
        self.ended.append(outcome)

    def epoch_finished(self, epoch: Epoch, epochs: int) -> None:
        self.epochs.append(epoch.number)

    def warned(self, text: str) -> None:
        self.warnings.append(text)
