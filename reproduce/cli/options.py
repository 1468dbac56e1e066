"""Options that verbs share, each written once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cdd.values import LARGEST_SEED
from experiments.schema.scale import Scale
from reproduce.errors import UsageError, shortened
from reproduce.storage.results_folder import require_folder

RESULTS = Path("results")
LARGEST_IMAGE, LARGEST_WIDTH = 8_192, 65_536
"""As a recipe's `Pixels` and `Channels`."""

RUNS, WHERE, HOW = "Which runs", "Where data and results are", "How they are computed"
"""Panels of a verb's help; the other options stand in Typer's own."""

Format = Literal["text", "json"]
OutputFormat = Annotated[Format, typer.Option("--format", help="json for scripts.")]

# Which runs.
Artifacts = Annotated[list[str], typer.Argument(metavar="ARTIFACT", help="For example table1; see `list`.")]
AnyArtifacts = Annotated[list[str] | None, typer.Argument(metavar="ARTIFACT", help="All by default.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run id, or the first of its digits.")]
ScaleOption = Annotated[
    Scale,
    typer.Option(
        help="mini: minutes on two cores; bench: one GPU; paper: the paper's.", rich_help_panel=RUNS
    ),
]
Seeds = Annotated[str, typer.Option(help="Comma-separated, for example 0,1,2.", rich_help_panel=RUNS)]
SeedsShown = Annotated[
    str | None,
    typer.Option(help="By default those of 0..9 that have all results, or any.", rich_help_panel=RUNS),
]
Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="Of all that is random.", rich_help_panel=RUNS)
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a field of the recipes; may be repeated. data, batch, schedule, optimiser, "
        "augmentation, objective, precision, fidelity, evaluate_every and initialisation change every "
        "run, teachers and pretraining included; student, compactors and method only runs that are no "
        "teacher (student also the pretraining they start from); teacher.KEY only teachers; "
        "initialisation.KEY only pretraining. schedule.epochs scales the rest of the schedule. "
        "Results go to a folder of their own.",
        rich_help_panel=RUNS,
    ),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Train anew; earlier runs are set aside, not deleted.", rich_help_panel=RUNS
    ),
]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Measure a few steps where no finished run tells the time.")
]


# Where data and results are.
def _folder(results: Path) -> Path:
    require_folder(results)
    return results


Results = Annotated[
    Path,
    typer.Option(
        help="Folder of stores, checkpoints and tables.",
        callback=_folder,
        is_eager=True,
        rich_help_panel=WHERE,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder of the real data sets; embedded data need none.", rich_help_panel=WHERE),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="ImageNet weights: torchvision's file, or a folder of its files; downloaded where not given.",
        rich_help_panel=WHERE,
    ),
]

# How they are computed.
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=HOW)]
Compiled = Annotated[
    bool, typer.Option("--compile", help="Pass the networks through torch.compile.", rich_help_panel=HOW)
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic", help="Only kernels that repeat themselves bit for bit.", rich_help_panel=HOW
    ),
]
ShareTeacher = Annotated[
    int,
    typer.Option(
        "--share-teacher",
        "--together",  # its former name
        metavar="N",
        min=1,
        max=1000,
        help="Train up to N students on the same batches, with one forward pass of the teacher for all.",
        rich_help_panel=HOW,
    ),
]
SyncBatchNorm = Annotated[
    bool,
    typer.Option(
        "--sync-batch-norm",
        help="Batch norms of several processes (torchrun) see the whole batch, not each its share.",
        rich_help_panel=HOW,
    ),
]
Launcher = Literal["local", "ray"]
LauncherOption = Annotated[
    Launcher,
    typer.Option(
        help="local: one run after the other; ray: those that can side by side, on a Ray cluster.",
        rich_help_panel=HOW,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        help="The Ray cluster; auto finds this machine's. By default one of this machine alone.",
        rich_help_panel=HOW,
    ),
]
ImageSize = Annotated[str, typer.Option(metavar="HEIGHTxWIDTH")]


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
    return UsageError(f"{option} {shortened(str(text))}: expected {expected}")
