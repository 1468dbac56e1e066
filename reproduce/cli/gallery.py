"""The verb `gallery`: what a finished run finds, as a picture."""

import json
from typing import Annotated

import typer

from cdd.training.environment import Machine
from reproduce.cli.options import RESULTS, DataRoot, Device, OutputFormat, Results, RunId, Seed
from reproduce.cli.printing import drawn_as_plain, show_sheet
from reproduce.cli.progress import counted
from reproduce.gallery.draw import GalleryRequest, draw_gallery
from reproduce.gallery.rows import Choice
from reproduce.pipeline.drawer import RenderedArtifact

Queries = Annotated[int, typer.Option(min=1, max=50, help="Rows of the picture.")]
Top = Annotated[int, typer.Option(min=1, max=20, help="Images of each ranking.")]
Worst = Annotated[bool, typer.Option("--worst", help="The queries of lowest average precision instead.")]
Protocol = Annotated[str | None, typer.Option(help="By default the data set's first.")]


def gallery(
    run: RunId,
    queries: Queries = 8,
    top: Top = 10,
    seed: Seed = 0,
    worst: Worst = False,
    protocol: Protocol = None,
    data_root: DataRoot = None,
    device: Device = "auto",
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Queries beside what a finished run finds for them, right and wrong framed; trains nothing.

    python -m reproduce gallery 24551216cafe --queries 8 --worst
    """
    request = GalleryRequest(
        run=run,
        choice=Choice(queries=queries, top=top, seed=seed, worst=worst),
        protocol=protocol,
        results=results,
        machine=Machine(device=device, data_root=data_root),
    )
    with counted("images read") as report:
        sheet, files = draw_gallery(request, report)
    if output == "json":
        typer.echo(json.dumps(drawn_as_plain(RenderedArtifact(sheet, files, {})), indent=2))
    else:
        show_sheet(sheet, files)
