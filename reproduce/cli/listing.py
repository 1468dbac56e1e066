"""The verb `list`: the artifacts that can be made. Its modules load no heavy library, so that it is quick."""

import json
from collections import Counter

import typer
from rich.table import Table as Grid

from experiments import registry
from reproduce.cli.options import RESULTS, OutputFormat, Results, ScaleOption
from reproduce.cli.terminal import output_console
from reproduce.storage.requested_runs import ArtifactState, state_of
from reproduce.storage.results_folder import ResultsFolder

COLOURS = {"complete": "green", "partly": "yellow", "reference": "cyan", "never run": "dim"}
PUBLICATION = 2
"""Parts of a source that name the publication; what follows is the place in it."""


def list_artifacts(
    scale: ScaleOption = "mini", results: Results = RESULTS, output: OutputFormat = "text"
) -> None:
    """The artifacts that can be made, and how many of their runs have finished here.

    python -m reproduce list --format json
    """
    workspace = ResultsFolder(results.resolve())
    states = {summary: state_of(workspace, scale, summary.name) for summary in registry.summaries()}
    if output == "json":
        found = [
            {
                **registry.as_plain(summary),
                "state": state.state,
                "finished": state.finished,
                "runs": state.runs,
            }
            for summary, state in states.items()
        ]
        typer.echo(json.dumps(found, indent=2))
        return
    console = output_console()
    for publication, _ in Counter(map(_publication, states)).most_common():
        grid = Grid(box=None, show_header=False, pad_edge=False, title_justify="left", title_style="bold")
        grid.title = publication
        grid.add_column(min_width=max(len(summary.name) for summary in states), no_wrap=True)
        grid.add_column(min_width=max(len(_words(state)) for state in states.values()), no_wrap=True)
        grid.add_column(overflow="fold")
        for summary, state in states.items():
            if _publication(summary) == publication:
                grid.add_row(summary.name, f"[{COLOURS[state.state]}]{_words(state)}[/]", summary.title)
        console.print(grid, "")
    console.print(
        f"State at scale {scale} in {results}: complete or k of n, your runs; reference, only the committed "
        "ones.",
        style="dim",
        highlight=False,
    )


def _words(state: ArtifactState) -> str:
    return f"{state.finished} of {state.runs} runs" if state.state == "partly" else state.state


def _publication(summary: registry.Summary) -> str:
    return ", ".join(summary.source.split(", ")[:PUBLICATION])
