"""The verb `record`: finished runs become the committed reference; for maintainers."""

import typer

from reproduce.cli.options import RESULTS, Results, ScaleOption
from reproduce.cli.progress import Display
from reproduce.reference.record import record as take


def record(scale: ScaleOption = "mini", results: Results = RESULTS) -> None:
    """Copies finished runs into results/reference and draws all of its pages again. For maintainers.

    python -m reproduce record --scale mini
    """
    with Display() as display:
        found = take(scale, results, display)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(found.runs.items())) or "none"
    typer.echo(f"Records: {counted}.")
    if found.dirty:
        typer.echo(f"Made with uncommitted changes: {', '.join(found.dirty)}.")
    typer.echo(f"Written: {', '.join(map(str, found.files))}")
