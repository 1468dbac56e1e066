"""`claims`: whether the sources' claims hold, judged by what was measured."""

import json

import typer

from reproduce.cli.options import RESULTS, OutputFormat, Results, ScaleOption, SeedsShown, seeds_of
from reproduce.cli.printing import show_sheet, show_verdicts
from reproduce.cli.progress import Display
from reproduce.pipeline.ledger import draw_ledger
from reproduce.tables.ledger_table import as_plain


def claims(
    scale: ScaleOption = "mini",
    seeds: SeedsShown = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Judges every claim of the sources by the runs of a scale, with the uncertainty stated; trains nothing.

    python -m reproduce claims --scale bench --format json
    """
    with Display() as display:
        found = draw_ledger(scale, None if seeds is None else seeds_of(seeds), results, display)
    if output == "json":
        typer.echo(json.dumps(as_plain(found.claims, scale, found.reference), indent=2))
    else:
        show_sheet(found.sheet, found.files)
        show_verdicts(found.claims)
