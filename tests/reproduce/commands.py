"""Commands on tiny trainings as processes of their own, and moments at which to disturb them."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cdd.result import Result, load_result
from reproduce.storage.provenance import ROOT
from tests.reproduce.two_rows import TINY

MINUTES = 10
TWO_ROWS = "tests.reproduce.two_rows"


def command(results: Path, *words: str, verb: str = "run", suite: str = TWO_ROWS) -> list[str]:
    """The words of a command on tiny trainings, where the words given do not set the same fields."""
    given = {word.partition("=")[0] for word in words}
    tiny = [change for change in TINY if change.partition("=")[0] not in given]
    changes = [word for change in tiny for word in ("--set", change)]
    own = [sys.executable, "-m", suite, verb, "table1", "--results", str(results)]
    return [*own, "--device", "cpu", *changes, *words]


def start(results: Path, *words: str, suite: str = TWO_ROWS) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        command(results, *words, suite=suite),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What the process said, after it has ended well."""
    _, said = process.communicate(timeout=60 * MINUTES)
    assert process.returncode == 0, said
    return said


def prepared(folder: Path, empty_database: Path) -> Path:
    """A results folder whose store is ready and empty."""
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


@dataclass(frozen=True)
class Moment:
    """When to kill: some seconds after a file of a run appears."""

    pattern: str
    seconds: float

    def wait(self, folder: Path, process: subprocess.Popen[str]) -> None:
        """Returns at the moment; polls as often as it can, for the file may be there for milliseconds."""
        while not any(folder.glob(self.pattern)):
            assert process.poll() is None, f"ended before {self.pattern}: {process.communicate()[1]}"
            time.sleep(0.0005)
        time.sleep(self.seconds)


def results_of(folder: Path) -> dict[str, Result]:
    """What every finished run of a results folder measured, by run id."""
    found = {path.parent.name: load_result(path.parent) for path in folder.glob("checkpoints/*/result.json")}
    return {run_id: result for run_id, result in found.items() if result}
