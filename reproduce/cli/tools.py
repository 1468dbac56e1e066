"""The verbs that train nothing and draw nothing: cost, evaluate, ui, doctor."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from reproduce.cli.group import FAILURE, say
from reproduce.cli.options import RESULTS, OutputFormat, Results, channels_of, size_of

MSMT17_IDENTITIES = 1041


def cost(
    backbone: Annotated[str, typer.Argument(help="resnet18, resnet34, resnet50, resnet101 or vit_b_16.")],
    image_size: Annotated[str, typer.Option(metavar="HEIGHTxWIDTH")] = "256x256",
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
    from cdd.evaluation.cost import cost_of
    from reproduce.errors import UsageError
    from reproduce.planning.override_messages import in_words

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
    from reproduce.cli.embeddings import accuracy

    found = accuracy(query, gallery, distance, junk or [])
    for note in found.notes:
        say(f"Note: {note}")
    if output == "json":
        typer.echo(json.dumps(found.as_plain(), indent=2))
        return
    metrics = found.metrics
    ranks = ", ".join(f"R{rank} {100 * value:.2f} %" for rank, value in metrics.cmc.items())
    typer.echo(f"mAP {100 * metrics.mean_average_precision:.2f} %, {ranks}")
    typer.echo(f"mINP {100 * metrics.mean_inverse_negative_penalty:.2f} %")
    typer.echo(f"{metrics.valid_queries} of {metrics.queries} queries have a match in the gallery")


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    results: Results = RESULTS,
) -> None:
    """MLflow's own pages on the same store, on this machine only.

    python -m reproduce ui --port 5001
    """
    import subprocess
    import sys

    from reproduce.errors import UsageError
    from reproduce.storage.provenance import Source
    from reproduce.storage.results_folder import Workspace
    from reproduce.tracking import connection, pages
    from reproduce.tracking.store import existing_store

    uri = connection.tracking_uri(results)
    is_server = uri.startswith("http")
    base = connection.shown(uri).rstrip("/") if is_server else f"http://{pages.HOST}:{port}"
    if is_server:
        typer.echo(f"The store is a server: open {base}")
    else:
        pages.check_port(port)
    store = existing_store(Workspace(results.resolve()), Source("unknown", dirty=True))  # writes nothing
    if store is None:
        raise UsageError(
            f"there is no store yet at {connection.shown(uri)}: train something first, or give the --results "
            "of what was trained"
        )
    for name, address in pages.experiments(store, base):
        typer.echo(f"{name}: {address}")
    if not connection.is_database(uri):
        return
    location = connection.artifact_location(uri, results) or ""
    typer.echo(f"{base} shows {connection.shown(uri)}; Ctrl-C ends it.")
    command = [sys.executable, "-m", "mlflow", "ui", "--host", pages.HOST, "--port", str(port)]
    command += ["--backend-store-uri", uri, "--default-artifact-root", location]
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return
    raise typer.Exit(FAILURE if code else 0)


def doctor(
    data_root: Annotated[Path | None, typer.Option(help="Also look for the real data sets here.")] = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Checks versions, device, store, results folder, disk, git and data sets.

    python -m reproduce doctor --data-root /data --format json
    """
    from dataclasses import asdict

    from reproduce.cli.doctor import examine

    checks = examine(results, data_root)
    if output == "json":
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<14} {check.detail}")
    if not all(check.ok for check in checks):
        raise typer.Exit(FAILURE)
