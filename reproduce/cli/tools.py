"""The verbs that compute from what they are given alone: `cost` and `evaluate`."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from cdd.evaluation.cost import MSMT17_IDENTITIES, cost_of
from reproduce.cli.embeddings import accuracy
from reproduce.cli.group import print_message
from reproduce.cli.options import ImageSize, OutputFormat, channels_of, size_of
from reproduce.errors import UsageError
from reproduce.planning.override_messages import in_words


def cost(
    backbone: Annotated[str, typer.Argument(help="resnet18, resnet34, resnet50, resnet101 or vit_b_16.")],
    image_size: ImageSize = "256x256",
    channels: Annotated[
        str | None, typer.Option(help="Channels left behind each 3x3, or each 1x1 and 3x3; commas between.")
    ] = None,
    identities: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Of the classifier, whose multiply-adds count.")
    ] = MSMT17_IDENTITIES,
    output: OutputFormat = "text",
) -> None:
    """Parameters and multiply-adds of a deployed backbone, as the paper counts them.

    python -m reproduce cost resnet101 --image-size 256x256 --format json
    """
    height, width = size_of(image_size)
    kept = channels_of(channels)

    try:
        found = cost_of(backbone, height, width, channels=kept, identities=identities)
    except ValueError as error:
        raise UsageError(in_words(error)) from error
    values = {
        "backbone": backbone,
        "height": height,
        "width": width,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "true_flops": 2 * found.multiply_adds,
        "breakdown": found.breakdown,
    }
    if output == "json":
        typer.echo(json.dumps(values, indent=2))
        return
    typer.echo(
        f"{backbone} at {height}x{width}: {found.parameters / 1e6:.2f} M parameters without classifier"
    )
    typer.echo(
        f"{found.multiply_adds / 1e9:.2f} G multiply-adds (the paper's FLOPs); true FLOPs are twice as many"
    )


def evaluate(
    query: Annotated[Path, typer.Option(help="npz file: embeddings, identities, optional cameras.")],
    gallery: Annotated[
        Path | None,
        typer.Option(
            help="npz file with the same arrays; without it, each query meets all others of its set."
        ),
    ] = None,
    distance: Annotated[Literal["cosine", "euclidean"], typer.Option()] = "cosine",
    junk: Annotated[
        list[int] | None,
        typer.Option(
            min=-(2**63),
            max=2**63 - 1,
            help="Identity whose gallery images no query sees, -1 in Market-1501; may be repeated.",
        ),
    ] = None,
    output: OutputFormat = "text",
) -> None:
    """Accuracy of embeddings on disk: mAP, CMC and mINP. With cameras in both files, VeRi-776's rule.

    python -m reproduce evaluate --query q.npz --gallery g.npz --format json

    python -m reproduce evaluate --query set.npz --junk -1    each image of one set against all others
    """
    found = accuracy(query, gallery, distance, junk or [])
    for note in found.notes:
        print_message(f"Note: {note}")
    if output == "json":
        typer.echo(json.dumps(found.as_plain(), indent=2))
        return
    metrics = found.metrics
    ranks = ", ".join(f"R{rank} {100 * value:.2f} %" for rank, value in metrics.cmc.items())
    typer.echo(f"mAP {100 * metrics.mean_average_precision:.2f} %, {ranks}")
    typer.echo(f"mINP {100 * metrics.mean_inverse_negative_penalty:.2f} %")
    typer.echo(f"{metrics.valid_queries} of {metrics.queries} queries have a match in the gallery")
