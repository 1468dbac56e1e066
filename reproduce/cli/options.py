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


def _folder(results: Path) -> Path:
    from reproduce.storage.results_folder import require_folder

    require_folder(results)
    return results


Results = Annotated[
    Path, typer.Option(help="Folder of stores, checkpoints and tables.", callback=_folder, is_eager=True)
]
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
LARGEST_SEED, LARGEST_IMAGE, LARGEST_WIDTH = 2**63 - 1, 8_192, 65_536
"""As in `cdd.values`, which a quick answer does not wait for."""


def seeds_of(text: str | None) -> list[int]:
    """The seeds of a `--seeds`.

    Raises:
        UsageError: for anything but different whole numbers that a seed can have.
    """
    seeds = _whole_numbers(text or "", largest=LARGEST_SEED)
    if not seeds or len(set(seeds)) != len(seeds):
        raise _refused(
            "--seeds", text, f"different whole numbers from 0 to {LARGEST_SEED}, for example 0,1,2"
        )
    return seeds


def channels_of(text: str | None) -> list[int] | None:
    """The channel counts of a `--channels`; None where none are given.

    Raises:
        UsageError: for anything but whole numbers above 0.
    """
    if text is None:
        return None
    channels = _whole_numbers(text, largest=LARGEST_WIDTH)
    if not channels or not all(channels):
        raise _refused("--channels", text, f"whole numbers from 1 to {LARGEST_WIDTH}, for example 64,64,128")
    return channels


def size_of(text: str) -> tuple[int, int]:
    """Height and width of an `--image-size`.

    Raises:
        UsageError: for anything but two whole numbers of pixels.
    """
    height, _, width = text.lower().partition("x")
    sizes = _whole_numbers(f"{height},{width}", largest=LARGEST_IMAGE)
    if not sizes or not all(sizes):
        raise _refused(
            "--image-size", text, f"HEIGHTxWIDTH of 1 to {LARGEST_IMAGE} pixels, for example 256x128"
        )
    return sizes[0], sizes[1]


def _whole_numbers(text: str, *, largest: int) -> list[int]:
    """The numbers between commas, in plain digits; none where one of them is anything else."""
    parts = [part.strip() for part in text.split(",")]
    plain = all(part.isascii() and part.isdigit() and len(part) <= len(str(largest)) for part in parts)
    numbers = [int(part) for part in parts] if plain else []
    return numbers if all(number <= largest for number in numbers) else []


def _refused(option: str, text: str | None, expected: str) -> Exception:
    from reproduce.errors import UsageError, shortened

    return UsageError(f"{option} {shortened(str(text))}: expected {expected}")
