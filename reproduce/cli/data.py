"""The verb `data`: whether a copy of a real data set is whole, and decoding it once for all runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from cdd.data.dataset_facts import real_datasets
from cdd.data.decoded_cache import disk_need
from cdd.data.decoded_cache import prepare as prepared
from cdd.data.registry import listed, read_copy
from cdd.data.verify import Verification
from cdd.data.verify import verify as verified
from cdd.recipe import Data
from reproduce.cli.group import FAILURE, print_message
from reproduce.cli.options import ImageSize, OutputFormat, size_of
from reproduce.cli.progress import counted


def _known(name: str) -> str:
    if name not in real_datasets():
        raise typer.BadParameter(f"{name!r} is none of {', '.join(real_datasets())}.")
    return name


Name = Annotated[
    str, typer.Argument(callback=_known, help="As recipes call it: veri776. A wrong name shows them all.")
]
DataRoot = Annotated[Path, typer.Option(help="Folder that holds the data sets, or this one.")]
Lists = Annotated[
    Literal["train", "train+val"], typer.Option("--msmt17-lists", help="MSMT17's lists of training images.")
]

HELP = """Check and prepare the real data sets.

python -m reproduce data verify veri776 --data-root /data
"""

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.command(short_help="Count and read every image.")
def verify(
    name: Name, data_root: DataRoot, lists: Lists = "train+val", output: OutputFormat = "text"
) -> None:
    """Compares a copy of a data set with what its authors publish and reads every image of it.

    python -m reproduce data verify veri776 --data-root /data
    """
    found = _verified(name, data_root, lists)
    if output == "json":
        typer.echo(json.dumps({**asdict(found), "ok": found.ok}, indent=2))
    else:
        _show(found)
    if not found.ok:
        raise typer.Exit(FAILURE)


@app.command(short_help="Decode every image once.")
def prepare(
    name: Name,
    data_root: DataRoot,
    image_size: ImageSize = "256x256",
    lists: Lists = "train+val",
) -> None:
    """Decodes every image at a size and keeps it beside the data, where all later runs read it.

    python -m reproduce data prepare msmt17 --data-root /data --image-size 320x160
    """
    height, width = size_of(image_size)
    data = Data(name=name, height=height, width=width, msmt17_lists=lists)
    listing = listed(data, data_root)
    needed = disk_need(data, len(listing.records)) / 1e9
    print_message(f"{len(listing.records)} images at {height}x{width} take {needed:.1f} GB in {data_root}")
    with counted("images decoded") as report:
        folder = prepared(data, data_root, listing, report)
    typer.echo(f"{len(listing.records)} images at {height}x{width} are in {folder}")


def _verified(name: str, data_root: Path, lists: Lists) -> Verification:
    copy = read_copy(Data(name=name, msmt17_lists=lists), data_root)
    with counted("images read") as report:
        return verified(copy, report)


def _show(found: Verification) -> None:
    typer.echo(f"{found.name} in {found.folder}, layout: {found.layout}")
    typer.echo(f"digest of the data: {found.digest[:16]}")
    for split in found.splits:
        published = f"published {split.published.images} of {split.published.identities}"
        cameras = f", {split.cameras} cameras" if found.published_cameras else ""
        typer.echo(
            f"{split.split:<9} {split.images} images of {split.identities} identities{cameras}: "
            f"{split.verdict} ({published})"
        )
    if found.published_cameras:
        typer.echo(f"cameras   {found.cameras}, published {found.published_cameras}")
    for remark in found.remarks:
        typer.echo(f"remark    {remark}")
    for path, why in found.unreadable.items():
        typer.echo(f"FAIL      {path}: {why}")
    typer.echo(
        "complete and readable" if found.ok else "not the published data set, or not readable: see above"
    )
