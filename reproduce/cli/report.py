"""The verb `report`: one page with everything that was measured, and a text about it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from reproduce.cli.options import RESULTS, OutputFormat, Results, ScaleOption
from reproduce.cli.progress import Display
from reproduce.report.build import ReportRequest, make_report
from reproduce.tables.ledger_table import counts_text


def report(
    scale: ScaleOption = "mini",
    out: Annotated[Path | None, typer.Option(help="The page; by default report.html of the scale.")] = None,
    text: Annotated[
        Path | None,
        typer.Option(help="The text (Markdown); by default beside the page."),
    ] = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Everything that was measured on one page, and a text in the challenge's form; trains nothing.

    python -m reproduce report --scale mini --out report.html
    """
    request = ReportRequest(scale=scale, results=results, out=out, text=text)
    with Display() as display:
        found = make_report(request, display)
    page, words = found.files
    if output == "json":
        values = {"page": str(page), "bytes": page.stat().st_size, "text": str(words)}
        counted = {"verdicts": dict(found.verdicts), "artifacts": found.artifacts, "runs": found.runs}
        typer.echo(json.dumps({**values, **counted}, indent=2))
        return
    typer.echo(f"Claims: {counts_text(found.verdicts)}.")
    typer.echo(f"{found.artifacts} tables and figures, {found.runs} runs.")
    typer.echo(f"Written: {page} ({page.stat().st_size / 1e6:.1f} MB), {words}")
