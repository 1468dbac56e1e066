"""`python -m benchmarks`: prints the table and writes it as JSON; `--small` leaves out the long lines."""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.evaluation import MEBIBYTE, evaluation
from benchmarks.line import Line
from benchmarks.loader import against_the_step, augmenting, reading
from benchmarks.resetting import resetting
from benchmarks.slimming import slimming_of_a_resnet50, slimming_of_the_small_student
from benchmarks.start_up import start_up
from benchmarks.together import together
from benchmarks.training_step import paper_step, small_step
from cdd.training.environment import device_name, select_device

SMALL: tuple[Callable[[], Line], ...] = (
    lambda: start_up("--help"),
    lambda: start_up("list"),
    lambda: evaluation(10, with_baseline=True),
    resetting,
    reading,
    augmenting,
    against_the_step,
    together,
)
ON_A_DEVICE: tuple[Callable[[torch.device], Line], ...] = (
    small_step,
    paper_step,
    slimming_of_the_small_student,
    slimming_of_a_resnet50,
)
LONG: tuple[Callable[[], Line], ...] = (lambda: evaluation(1, with_baseline=False, repeats=1),)


def main() -> None:
    """Measures line by line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="leave out the lines that take minutes")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks.json"))
    parser.add_argument("--device", default="auto", help="where training steps run: auto, cpu or cuda")
    arguments = parser.parse_args()
    device = select_device(arguments.device)
    lines = [measure() for measure in SMALL]
    lines += [measure(device) for measure in ON_A_DEVICE]
    lines += [measure() for measure in (() if arguments.small else LONG)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(described(lines, device), indent=2) + "\n")
    console = Console()
    console.print(table(lines), *(details(line) for line in lines if line.details))


def described(lines: list[Line], device: torch.device) -> dict[str, object]:
    """The lines with the machine and the versions that they were measured on."""
    machine = {"machine": platform.machine(), "python": platform.python_version(), "torch": torch.__version__}
    machine |= {"device": device.type, "device_name": device_name(device)}
    return {**machine, "threads": torch.get_num_threads(), "lines": [line.as_plain() for line in lines]}


def table(lines: list[Line]) -> Table:
    """What a terminal shows."""
    found = Table("", "seconds", "times as fast as", "times the limit", "memory (MiB)")
    for line in lines:
        speedup = f"{line.speedup:.1f}, {line.baseline_name}" if line.speedup else "-"
        limit = f"{line.times_limit:.2f}, {line.limit_name}" if line.times_limit else "-"
        memory = "-" if line.peak_bytes is None else f"{line.peak_bytes / MEBIBYTE:.0f}"
        seconds = "not measured" if line.ours is None else f"{line.ours:.3g}"
        found.add_row(line.name, seconds, speedup, limit, memory)
    return found


def details(line: Line) -> Table:
    """What else is known of a line."""
    found = Table("", line.name)
    for name, value in line.details.items():
        found.add_row(name, f"{value:.3g}")
    return found


if __name__ == "__main__":
    main()
