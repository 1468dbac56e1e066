"""The command line on two rows of table 1, with frequent system metrics: what tests start as a process."""

import signal
from dataclasses import replace

import experiments.paper.table1
from experiments import registry
from reproduce.cli import app
from reproduce.tracking import training_run

TINY = [
    "data.height=16",
    "data.width=16",
    "schedule.epochs=4",
    "evaluate_every=4",
    "augmentation.padding=1",
    *(
        f"{role}student.{change}"
        for role in ("", "teacher.")
        for change in ("planes=4,4,8,8", "blocks=1,1,1,1", "embedding=8")
    ),
    "method.sparsity=.01",
    "method.resetting.ratio=.5",
    "method.resetting.queue=128",
]
"""Overrides with which a training takes seconds."""


def main(*rows: int) -> None:
    """The command line, on these rows alone."""
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    whole = experiments.paper.table1.TABLE
    experiments.paper.table1.TABLE = replace(whole, rows=tuple(whole.rows[row] for row in rows))
    registry.claims = lambda: ()  # Most of them compare rows that are left out.
    app.main()


if __name__ == "__main__":
    training_run.SECONDS_BETWEEN_SYSTEM_METRICS = 0.1  # type: ignore[assignment]
    main(0, -1)
