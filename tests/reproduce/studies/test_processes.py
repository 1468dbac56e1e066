"""One study in two processes, of which one is killed: no trial is lost, none is trained twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pandas as pd
import pytest

from reproduce.storage.provenance import ROOT
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.connection import tracking_uri
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE
from tests.reproduce.two_rows import TINY

MINUTES = 10
TRIALS = 3

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


def start(results: Path) -> subprocess.Popen[str]:
    changes = [word for change in TINY for word in ("--set", change)]
    words = ["study", "p", "--trials", str(TRIALS), "--no-prune", "--results", str(results)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.reproduce.two_rows", *words, "--device", "cpu", *changes],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def running_trial(results: Path, process: subprocess.Popen[str]) -> str:
    """Waits until a trial of the study has written a checkpoint; returns its run id."""
    while process.poll() is None:
        for trial in trials(results):
            run_id = trial.user_attrs.get("run_id")
            begun = run_id and any((results / "checkpoints" / run_id).glob("epoch_*.ckpt"))
            if begun and trial.state == optuna.trial.TrialState.RUNNING:
                return str(run_id)
        time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


def trials(results: Path) -> list[optuna.trial.FrozenTrial]:
    url = f"sqlite:///{results / 'studies.db'}"
    try:
        (name,) = optuna.get_all_study_names(url)
        return optuna.load_study(study_name=name, storage=url).get_trials()
    except Exception:  # The first process has not made it yet.
        return []


def test_two_shells_on_one_study_repeat_and_lose_no_trial(tmp_path: Path, empty_database: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    shutil.copy(empty_database, results / "mlflow.db")
    first = start(results)
    lost = running_trial(results, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    processes = [start(results), start(results)]
    for process in processes:
        _, said = process.communicate(timeout=60 * MINUTES)
        assert process.returncode == 0, said
    (path,) = results.rglob("studies/*.csv")
    found = pd.read_csv(path).to_dict("records")
    assert Counter(line["state"] for line in found) == {"complete": TRIALS}
    complete = [line["run_id"] for line in found if line["state"] == "complete"]
    assert len(set(complete)) == TRIALS
    assert lost in complete
    trainings = Store(tracking_uri(results), ResultsFolder(results.resolve()), CODE).trainings()
    for run_id in complete:
        assert [run.status for run in trainings[run_id]] == ["FINISHED"]
