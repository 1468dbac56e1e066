"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Scale = Literal["mini", "bench", "paper"]
Format = Literal["text", "json"]
ScaleOption = Annotated[
    Scale, typer.Option(help="mini: minutes on two cores; bench: one GPU; paper: the paper's.")
]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the real data sets; embedded data need none.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Results = Annotated[Path, typer.Option(help="Folder of stores, checkpoints and tables.")]
Launcher = Literal["local", "ray"]
LauncherOption = Annotated[
    Launcher,
    typer.Option(help="local: one run after the other; ray: those that can side by side, on a Ray cluster."),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        help="The Ray cluster; auto finds this machine's. By default one of this machine alone.",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="json for scripts.")]
RESULTS = Path("results")


def seeds_of(text: str | None) -> list[int]:
    """The seeds of a `--seeds`.

    Raises:
        UsageError: for anything but different whole numbers.
    """
    from reproduce.errors import UsageError

    try:
        seeds = [int(part) for part in (text or "").split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise UsageError(f"--seeds {text}: expected different whole numbers from 0, for example 0,1,2")
    return seeds
