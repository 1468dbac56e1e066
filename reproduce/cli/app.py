"""The command line: its verbs and where each of them is."""

from typing import Annotated

import typer

from cdd import __version__
from reproduce.cli.group import ArtifactGroup
from reproduce.cli.lazy_group import Verb
from reproduce.execution.torchrun_environment import is_worker

ARTIFACTS, RUNS, DATA, TOOLS = "Artifacts", "Runs", "Data", "Tools"
"""Panels of the first help."""


class Suite(ArtifactGroup):
    """The verbs, in the order of the first help."""

    verbs = {
        "run": Verb(
            "artifacts:run_artifacts",
            ARTIFACTS,
            "Train what is missing, log, draw; the word `run` may be left out.",
        ),
        "list": Verb(
            "listing:list_artifacts", ARTIFACTS, "The artifacts that can be made, and what there is of each."
        ),
        "plan": Verb("artifacts:plan", ARTIFACTS, "What would be trained, why, and for how long."),
        "show": Verb("artifacts:show", ARTIFACTS, "Draw from what is stored; train nothing."),
        "claims": Verb("claims:claims", ARTIFACTS, "Whether the sources' claims hold."),
        "report": Verb("report:report", ARTIFACTS, "Everything that was measured, on one page."),
        "record": Verb(
            "record:record", ARTIFACTS, "Finished runs into the committed reference; for maintainers."
        ),
        "compare": Verb("compare:compare", RUNS, "Two or more runs: what differs, and what came of it."),
        "gallery": Verb("gallery:gallery", RUNS, "What a finished run finds, as a picture."),
        "study": Verb("study:study", RUNS, "Tune settings on validation identities."),
        "export-run": Verb("runs:export_run", RUNS, "One file with a finished run, for another machine."),
        "import-run": Verb("runs:import_run", RUNS, "Take in a run that export-run wrote."),
        "data": Verb("data:app", DATA, "Check and prepare the real data sets."),
        "evaluate": Verb("tools:evaluate", DATA, "Accuracy of embeddings on disk."),
        "cost": Verb("tools:cost", TOOLS, "MP and FLOPs of a backbone."),
        "ui": Verb("ui:ui", TOOLS, "MLflow's pages on the same store."),
        "doctor": Verb("doctor:doctor", TOOLS, "Check this installation."),
    }


app = typer.Typer(
    cls=Suite,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    subcommand_metavar="ARTIFACT... | VERB [OPTIONS]",
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capacity-dynamic-distillation {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Tables and figures of "Towards a Smaller Student" (CVPR 2023), made again.

    python -m reproduce table1 --seeds 0,1,2    trains, logs to MLflow, draws

    python -m reproduce plan table1             what, why, and for how long
    """
    if is_worker() and context.invoked_subcommand not in ("run", "study"):
        raise typer.Exit  # The first process does what trains nothing.


def main() -> None:
    """Entry point of `python -m reproduce`."""
    app(prog_name="python -m reproduce")
