"""The verb `compare`: runs side by side."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

from cdd.values import LARGEST_SEED
from reproduce.cli.options import RESULTS, OutputFormat, Results, ScaleOption
from reproduce.cli.terminal import output_console
from reproduce.errors import UsageError
from reproduce.evidence.comparison import ABSENT, Comparison, NamedRuns
from reproduce.evidence.comparison import compare as compared
from reproduce.storage.provenance import code_version
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tables.rendered_table import number_text

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Run ids, their first digits, or rows such as table1:CDD; reference:RUN is the committed run.",
    ),
]
SeedOfRows = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the runs behind rows.")]
UNITS = {"parameters": (1e-6, "M", 3), "multiply_adds": (1e-9, "G", 4), "seconds": (1.0, "", 1)}


def compare(
    runs: Names,
    scale: ScaleOption = "mini",
    seed: SeedOfRows = 0,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """What differs between finished runs, and their metrics side by side; differences are from the first.

    python -m reproduce compare table1:CDD table1:CDD+RGGR

    python -m reproduce compare 24551216cafe reference:24551216cafe    yours against the committed one
    """
    if len(runs) < 2:
        raise UsageError(f"compare {runs[0]}: name a second run that it is compared with")
    named = NamedRuns(ResultsFolder(results.resolve()), code_version(), scale, seed)
    found = compared(runs, [named.find(run) for run in runs])
    if output == "json":
        typer.echo(json.dumps(_plain(found), indent=2))
    else:
        _show(found)


def _show(found: Comparison) -> None:
    console = output_console()
    heads = [f"{escape(name)}\n{run.run_id}" for name, run in zip(found.names, found.runs, strict=True)]
    fields = Grid("recipe", *heads, title="Where the recipes differ", title_justify="left", pad_edge=False)
    for path, values in found.fields.items():
        fields.add_row(path, *map(Text, values))
    if found.fields:
        console.print(fields)
    else:
        console.print("The recipes are the same in every field.")
    columns = [*heads, *(f"{escape(name)}\ndifference" for name in found.names[1:])]
    metrics = Grid("metric", *columns, title="What they measured", title_justify="left", pad_edge=False)
    for column in metrics.columns[1:]:
        column.justify = "right"
    for name, numbers in found.metrics.items():
        factor, unit, decimals = _unit(name)
        texts = [_number(value, factor, decimals) for value in numbers]
        metrics.add_row(
            f"{name} ({unit})" if unit else name, *texts, *_differences(numbers, factor, decimals)
        )
    console.print(metrics)


def _differences(numbers: tuple[float | None, ...], factor: float, decimals: int) -> list[str]:
    first, *others = numbers
    return [
        _number(None if first is None or other is None else other - first, factor, decimals, signed=True)
        for other in others
    ]


def _number(value: float | None, factor: float, decimals: int, *, signed: bool = False) -> str:
    return ABSENT if value is None else number_text(value * factor, decimals, signed=signed)


def _unit(metric: str) -> tuple[float, str, int]:
    """Factor, unit and decimals with which a metric is printed; accuracies are fractions."""
    return UNITS.get(metric) or ((100.0, "%", 2) if "/" in metric else (1.0, "", 5))


def _plain(found: Comparison) -> dict[str, Any]:
    return {
        "runs": [
            {"name": name, "run_id": run.run_id, "scale": run.scale}
            for name, run in zip(found.names, found.runs, strict=True)
        ],
        "fields": found.fields,
        "metrics": found.metrics,
    }
