"""`python -m benchmarks`: prints the lines, writes them as JSON and Markdown; `--small`: not the long."""

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.evaluation import TRAINED, UNTRAINED, evaluation
from benchmarks.line import Line
from benchmarks.loader import against_the_step, augmenting, reading
from benchmarks.page import HEAD, cells, page
from benchmarks.resetting import resetting
from benchmarks.shared_teacher import shared_teacher
from benchmarks.slimming import slimming_of_a_resnet50, slimming_of_the_small_student
from benchmarks.start_up import start_up
from benchmarks.training_step import paper_step, small_step
from cdd.training.environment import device_name, processor, select_device

SMALL: tuple[Callable[[], Line], ...] = (
    lambda: start_up("--help"),
    lambda: start_up("list"),
    lambda: evaluation(10, TRAINED),
    lambda: evaluation(10, UNTRAINED),
    resetting,
    reading,
    augmenting,
    against_the_step,
    shared_teacher,
)
ON_A_DEVICE: tuple[Callable[[torch.device], Line], ...] = (
    small_step,
    paper_step,
    slimming_of_the_small_student,
    slimming_of_a_resnet50,
)
LONG: tuple[Callable[[], Line], ...] = (
    lambda: evaluation(1, TRAINED, repeats=1),
    lambda: evaluation(1, UNTRAINED, repeats=1),
)


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
    stored = described(lines, device)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    arguments.out.with_suffix(".md").write_text(f"# Benchmarks\n\n{page(stored)}", encoding="utf-8")
    console = Console()
    console.print(table(lines), *(details(line) for line in lines if line.details))


def described(lines: list[Line], device: torch.device) -> dict[str, Any]:
    """The lines with the machine and the versions that they were measured on."""
    machine = {"machine": platform.machine(), "python": platform.python_version(), "torch": torch.__version__}
    machine |= {"device": device.type, "device_name": device_name(device)}
    counts = {"processor": processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    return {**machine, **counts, "lines": [line.as_plain() for line in lines]}


def table(lines: list[Line]) -> Table:
    """What a terminal shows."""
    found = Table(*HEAD)
    for line in lines:
        found.add_row(*cells(line.as_plain()))
    return found


def details(line: Line) -> Table:
    """What else is known of a line."""
    found = Table("", line.name)
    for name, value in line.details.items():
        found.add_row(name, f"{value:.3g}")
    return found


if __name__ == "__main__":
    main()
