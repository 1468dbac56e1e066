"""Benchmarks of the seconds until the command line prints."""

import subprocess
import sys

from benchmarks.line import Line, best_of

HEAVY = "torch, mlflow, pandas, matplotlib.pyplot"
"""What the suite imports only where it is used."""


def start_up(*words: str) -> Line:
    """A command of the suite in a process of its own, against Python's own start."""
    return Line(
        name=f"python -m reproduce {' '.join(words)}",
        ours=_seconds("-m", "reproduce", *words),
        baseline=_seconds("-c", f"import {HEAVY}"),
        baseline_name=f"import {HEAVY}",
        limit=_seconds("-c", ""),
        limit_name="python alone",
    )


def _seconds(*arguments: str) -> float:
    command = [sys.executable, *arguments]
    return best_of(3, lambda: subprocess.run(command, check=True, capture_output=True))
