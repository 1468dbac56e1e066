"""How long a user waits for the first line."""

import subprocess
import sys

from benchmarks.line import Line, best_of


def start_up(*words: str) -> Line:
    """A command of the suite in a process of its own, against Python's own start."""
    command = [sys.executable, "-m", "reproduce", *words]
    return Line(
        name=f"python -m reproduce {' '.join(words)}",
        ours=best_of(3, lambda: subprocess.run(command, check=True, capture_output=True)),
        limit=best_of(3, lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
        limit_name="python alone",
    )
