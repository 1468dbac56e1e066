"""Command line: `python -m tools.household --models DIR --output DIR`."""

import argparse
import os
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from tools.household.attribution import Contents
from tools.household.build import build
from tools.household.camera import Difficulty
from tools.household.catalog import ModelsMissingError
from tools.household.freeze import FILE
from tools.household.montage import montage, save_montage, spread_identities
from tools.household.renderer import RendererMissingError
from tools.household.split import Split

CANNOT_START = 2
MONTAGE_IDENTITIES = 40


def main(arguments: list[str] | None = None) -> int:
    """Builds the data set.

    Returns:
        Exit status: 0, or 2 if the models or the renderer are missing.
    """
    chosen = _parser().parse_args(arguments)
    console = Console()
    # The software rasteriser is quickest for small images on one thread.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    difficulty = Difficulty(**{one.name: getattr(chosen, one.name) for one in fields(Difficulty)})
    try:
        built = build(chosen.models, chosen.output, difficulty, chosen.limit)
    except (ModelsMissingError, RendererMissingError) as error:
        console.print(f"error: {error}", markup=False)
        return CANNOT_START
    save_montage(
        montage(chosen.output, spread_identities(chosen.output, MONTAGE_IDENTITIES)),
        chosen.output / "montage.png",
    )
    _report(console, built.contents, chosen.output / FILE, built.digest)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.household", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder with the libraries (*.sh3f)")
    parser.add_argument("--output", type=Path, required=True, help="folder for the file, digest, attribution")
    parser.add_argument("--limit", type=int, help="take only so many models, for a trial")
    for one in fields(Difficulty):
        option = f"--{one.name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=one.default, help="default: %(default)s")
    return parser


def _report(console: Console, contents: Contents, file: Path, digest: str) -> None:
    identities = Counter(contents.splits)
    for split in Split:
        images = identities[split] * contents.images_per_identity
        console.print(f"{split.name.lower()}: {identities[split]} identities, {images} images")
    for reason, count in Counter(one.reason for one in contents.dropped).most_common():
        console.print(f"left out {count}: {reason}", markup=False)
    console.print(f"{file}: {file.stat().st_size} bytes, SHA-256 {digest}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
