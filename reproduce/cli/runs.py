"""The verbs that carry a finished run from one results folder to another."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from reproduce.cli.options import RESULTS, OutputFormat, Results, RunId
from reproduce.errors import UsageError
from reproduce.transfer.export import ExportRequest
from reproduce.transfer.export import export_run as export
from reproduce.transfer.importing import import_run as take_in


def export_run(
    run: RunId,
    out: Annotated[Path | None, typer.Option(help="By default run-RUN.zip here.")] = None,
    weights: Annotated[
        bool, typer.Option("--weights/--without-weights", help="Numbers alone are some hundred kB.")
    ] = True,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Writes one file with a finished run: recipe, numbers, curves, networks, and what its store knows.

    python -m reproduce export-run 24551216cafe --out student.zip
    """
    found = export(ExportRequest(run=run, out=out, with_weights=weights, results=results))
    members = found.manifest.members
    if output == "json":
        values: dict[str, Any] = {"file": str(found.path), "bytes": found.path.stat().st_size}
        values |= {**found.manifest.model_dump(), "said": found.said}
        typer.echo(json.dumps(values, indent=2))
        return
    size = found.path.stat().st_size / 1e6
    typer.echo(f"Run {found.manifest.run_id} ({found.manifest.label}) is in {found.path}, {size:.2f} MB:")
    for name, member in members.items():
        typer.echo(f"  {name:<14} {member.bytes:>12,} bytes")
    for text in found.said:
        typer.echo(f"  {text}")
    typer.echo(f"Elsewhere: python -m reproduce import-run {found.path.name}")


def import_run(
    file: Annotated[Path, typer.Argument(help="What export-run wrote.")],
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Takes in a run that `export-run` wrote: tables, galleries and students find it as one trained here.

    python -m reproduce import-run run-24551216cafe.zip
    """
    if not file.is_file():
        raise UsageError(f"{file} is no file: name one that `python -m reproduce export-run` wrote")

    found = take_in(file, results)
    if output == "json":
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    typer.echo(f"Run {found.run_id} ({found.label}): {found.state}.")
    for text in found.said:
        typer.echo(f"  {text}")
