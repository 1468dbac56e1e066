"""A table or a study of fake trainings: what tests start as a process.

Its one argument is an `Order` in JSON. It prints the run ids of the trainings that it began.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from cdd.recipe import Recipe
from cdd.training.environment import Machine
from reproduce.execution.listener import Listener
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions
from reproduce.storage.provenance import ROOT
from reproduce.studies.study import RowStudy
from reproduce.studies.target import StudyRequest
from tests.reproduce.fakes import CODE, STUDENT, TEACHER, FakeTraining, table

SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process shall do.

    Attributes:
        results: its results folder; another one stands for another host.
        deployed: the network that every training ends with.
        meeting: folder in which the processes wait for each other.
        processes: how many of them there are.
        seeds: of a table.
        storage: of a study, which is done instead of a table.
        trials: of a study.
        hangs: whether it stops for ever in the first student that it trains, and says so.
    """

    results: str
    deployed: str
    meeting: str
    processes: int
    seeds: list[int] = field(default_factory=list)
    storage: str | None = None
    trials: int = 0
    hangs: bool = False

    def start(self, tracking_uri: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.reproduce.fake_process", json.dumps(asdict(self))],
            cwd=ROOT,
            env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def meet(self) -> None:
        """Waits until every process is here."""
        folder, until = Path(self.meeting), time.monotonic() + SECONDS
        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < self.processes:
            assert time.monotonic() < until, "the other processes do not come"
            time.sleep(0.01)


def ended(process: "subprocess.Popen[str]") -> list[str]:
    """The trainings that a process began, after it has ended well."""
    out, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    return [str(run_id) for run_id in json.loads(out.splitlines()[-1])]


def run_table(order: Order, training: FakeTraining) -> None:
    """Meets the other processes within its first training."""

    def meet(recipe: Recipe, number: int) -> None:
        if len(training.epochs) == 0:
            order.meet()

    training.before_epoch = meet
    request = RunOptions(
        names=["tiny"],
        scale="mini",
        seeds=order.seeds,
        results=Path(order.results),
        machine=Machine(device="cpu"),
    )
    (drawn,) = ArtifactPipeline(request, Listener()).run(training)
    assert drawn.complete, drawn.outcomes


def run_study(order: Order, training: FakeTraining) -> None:
    """Meets the other processes before there is a study."""

    def hang(recipe: Recipe, number: int) -> None:
        if recipe.teacher and order.hangs:
            print(recipe.run_id, flush=True)
            time.sleep(SECONDS)

    training.before_epoch = hang
    request = StudyRequest(
        space="weight",
        artifact="tiny",
        method="capacitydynamic",
        trials=order.trials,
        prunes=False,
        storage=order.storage,
        results=Path(order.results),
        machine=Machine(device="cpu"),
    )
    found = RowStudy(request, Listener())
    order.meet()
    found.run(training)


def main() -> None:
    order = Order(**json.loads(sys.argv[1]))
    training = FakeTraining(Path(order.deployed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.registry.find", {"tiny": table(TEACHER, STUDENT)}.__getitem__)
        for module in ("pipeline.artifact_pipeline", "studies.study"):
            patch.setattr(f"reproduce.{module}.code_version", lambda: CODE)
        patch.setattr("reproduce.tables.pdf.page", lambda sheet: b"%PDF-left-out")
        patch.setattr("reproduce.tracking.training_run.log_deployed", lambda *arguments: "models:/left-out")
        patch.setattr("reproduce.studies.study.POLL_SECONDS", 0.2)
        if order.storage:
            run_study(order, training)
        else:
            run_table(order, training)
    print(json.dumps(training.begun))


if __name__ == "__main__":
    main()
