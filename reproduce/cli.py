"""The command line: artifacts, and the verbs around them."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from reproduce import cli_tools
from reproduce.cli_group import FAILURE, ArtifactGroup

Scale = Literal["mini", "bench", "paper"]
Format = Literal["text", "json"]

Names = Annotated[list[str], typer.Argument(metavar="ARTIFACT...", help="For example table1; see `list`.")]
ScaleOption = Annotated[
    Scale, typer.Option(help="mini: minutes on two cores; bench: one GPU; paper: the paper's.")
]
Seeds = Annotated[str | None, typer.Option(help="Comma-separated, for example 0,1,2.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a field of the recipes; may be repeated. data, batch, schedule, optimiser, "
        "augmentation, objective, precision, fidelity, evaluate_every and initialisation change every "
        "run, teachers and pretraining included; student, compactors and method only runs that are no "
        "teacher (student also the pretraining they start from); teacher.KEY only teachers; "
        "initialisation.KEY only pretraining. schedule.epochs scales the rest of the schedule. "
        "Results go to a folder of their own.",
    ),
]
Results = Annotated[Path, typer.Option(help="Folder of stores, checkpoints and tables.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the real data sets; embedded data need none.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train anew; earlier runs are set aside, not deleted.")]
OutputFormat = Annotated[Format, typer.Option("--format", help="json for scripts.")]
RESULTS = Path("results")

app = typer.Typer(
    cls=ArtifactGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    subcommand_metavar="ARTIFACT... | VERB [OPTIONS]",
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Tables and figures of "Towards a Smaller Student" (CVPR 2023), made again.

    python -m reproduce table1 --seeds 0,1,2    trains what is missing, logs to MLflow, draws the table

    python -m reproduce plan table1             what would be trained, why, and for how long
    """


@app.command("run", short_help="Train what is missing, log, draw; the word `run` may be left out.")
def run_artifacts(
    artifacts: Names,
    scale: ScaleOption = "mini",
    seeds: Seeds = "0",
    data_root: DataRoot = None,
    device: Device = "auto",
    changes: Changes = None,
    fresh: Fresh = False,
    results: Results = RESULTS,
) -> None:
    """Trains what is missing, logs it to MLflow and draws the artifacts.

    python -m reproduce table1 --seeds 0,1,2 --set method.sparsity=.01
    """
    from reproduce import catalog

    catalog.check_names(artifacts)
    from cdd.run import run
    from reproduce.cli_display import Display, show_drawn
    from reproduce.session import Request, Session

    request = Request(
        names=artifacts,
        scale=scale,
        seeds=_seeds(seeds),
        changes=changes or [],
        results=results,
        data_root=data_root,
        device=device,
        fresh=fresh,
    )
    with Display() as display:
        drawn = Session(request, display).run(run)
    for artifact in drawn:
        show_drawn(artifact)
    if not all(artifact.complete for artifact in drawn):
        raise typer.Exit(FAILURE)


@app.command("list", short_help="The artifacts that can be made.")
def list_artifacts(output: OutputFormat = "text") -> None:
    """The artifacts that can be made.

    python -m reproduce list --format json
    """
    from reproduce import catalog

    found = [catalog.as_plain(summary) for summary in catalog.summaries()]
    if output == "json":
        typer.echo(json.dumps(found, indent=2))
        return
    for entry in found:
        typer.echo(f"{entry['name']:<10} {entry['title']} ({entry['source']})")


@app.command(short_help="What would be trained, why, and for how long.")
def plan(
    artifacts: Annotated[
        list[str] | None, typer.Argument(metavar="[ARTIFACT...]", help="All by default.")
    ] = None,
    scale: ScaleOption = "mini",
    seeds: Seeds = "0",
    device: Device = "auto",
    changes: Changes = None,
    fresh: Fresh = False,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Every distinct run with run, resume, reuse or deliver, the reason and the estimated time.

    python -m reproduce plan table1 --seeds 0,1,2 --format json
    """
    from reproduce import catalog

    names = artifacts or [summary.name for summary in catalog.summaries()]
    catalog.check_names(names)
    from reproduce.cli_display import plan_as_plain, show_plan
    from reproduce.listener import Listener
    from reproduce.session import Request, Session

    request = Request(
        names=names,
        scale=scale,
        seeds=_seeds(seeds),
        changes=changes or [],
        results=results,
        device=device,
        fresh=fresh,
    )
    found = Session(request, Listener()).plan()
    if output == "json":
        typer.echo(json.dumps(plan_as_plain(found), indent=2))
    else:
        show_plan(found)


@app.command(short_help="Draw from what is stored; train nothing.")
def show(
    artifacts: Names,
    scale: ScaleOption = "mini",
    seeds: Annotated[str | None, typer.Option(help="By default every seed of 0..9 that has results.")] = None,
    changes: Changes = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Draws the artifacts from the store and, where it has nothing, from the committed records.

    python -m reproduce show table1 --format json
    """
    from reproduce import catalog

    catalog.check_names(artifacts)
    from reproduce.cli_display import Display, drawn_as_plain, show_drawn
    from reproduce.session import Request, Session

    request = Request(
        names=artifacts,
        scale=scale,
        seeds=None if seeds is None else _seeds(seeds),
        changes=changes or [],
        results=results,
    )
    with Display() as display:
        drawn = Session(request, display).show()
    if output == "json":
        typer.echo(json.dumps([drawn_as_plain(artifact) for artifact in drawn], indent=2))
        return
    for artifact in drawn:
        show_drawn(artifact)


app.command(short_help="MP and FLOPs of a backbone.")(cli_tools.cost)
app.command(short_help="Accuracy of embeddings on disk.")(cli_tools.evaluate)
app.command(short_help="MLflow's pages on the same store.")(cli_tools.ui)
app.command(short_help="Check this installation.")(cli_tools.doctor)


def _seeds(text: str | None) -> list[int]:
    from reproduce.errors import UsageError

    try:
        seeds = [int(part) for part in (text or "").split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise UsageError(f"--seeds {text}: expected different whole numbers from 0, for example 0,1,2")
    return seeds


def main() -> None:
    """Entry point of `python -m reproduce`."""
    app(prog_name="python -m reproduce")
