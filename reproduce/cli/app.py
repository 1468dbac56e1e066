"""The command line: artifacts, and the verbs around them."""

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reproduce.cli import claims, data, gallery, listing, record, report, runs, study, tools
from reproduce.cli.group import FAILURE, ArtifactGroup
from reproduce.cli.launch import launching
from reproduce.cli.options import (
    RESULTS,
    Address,
    DataRoot,
    Device,
    LauncherOption,
    OutputFormat,
    Results,
    ScaleOption,
    seeds_of,
)
from reproduce.execution.torchrun import follow, follows, led

if TYPE_CHECKING:
    from reproduce.execution.executor import Launch
    from reproduce.pipeline.session import Request


Names = Annotated[list[str], typer.Argument(metavar="ARTIFACT...", help="For example table1; see `list`.")]
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
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Measure a few steps where no finished run tells the time.")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="ImageNet weights: torchvision's file, or a folder of its files; downloaded where not given."
    ),
]
Compiled = Annotated[bool, typer.Option("--compile", help="Pass the networks through torch.compile.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Only kernels that repeat themselves bit for bit.")
]
Together = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        max=1000,
        help="Train up to N students that see the same batches side by side, with one teacher in memory.",
    ),
]
SyncBatchNorm = Annotated[
    bool,
    typer.Option(
        "--sync-batch-norm",
        help="Batch norms of several processes (torchrun) see the whole batch, not each its share.",
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train anew; earlier runs are set aside, not deleted.")]

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
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Tables and figures of "Towards a Smaller Student" (CVPR 2023), made again.

    python -m reproduce table1 --seeds 0,1,2    trains what is missing, logs to MLflow, draws the table

    python -m reproduce plan table1             what would be trained, why, and for how long
    """
    if follows() and context.invoked_subcommand not in ("run", "study"):
        raise typer.Exit  # The first process does what trains nothing.


@app.command("run", short_help="Train what is missing, log, draw; the word `run` may be left out.")
def run_artifacts(
    artifacts: Names,
    scale: ScaleOption = "mini",
    seeds: Seeds = "0",
    data_root: DataRoot = None,
    weights: Weights = None,
    device: Device = "auto",
    compiled: Compiled = False,
    deterministic: Deterministic = False,
    sync_batch_norm: SyncBatchNorm = False,
    changes: Changes = None,
    fresh: Fresh = False,
    results: Results = RESULTS,
    together: Together = 1,
    launcher: LauncherOption = "local",
    address: Address = None,
) -> None:
    """Trains what is missing, logs it to MLflow and draws the artifacts.

    python -m reproduce table1 --seeds 0,1,2 --set method.sparsity=.01

    torchrun --nproc-per-node 2 -m reproduce table1 --scale paper --data-root /data    each run on two GPUs
    """
    from experiments import registry

    registry.check_names(artifacts)
    from cdd.training.environment import Machine
    from reproduce.pipeline.session import Request

    machine = Machine(device=device, data_root=data_root, imagenet=weights, compiled=compiled)
    machine = replace(machine, deterministic=deterministic, synchronised_batch_norm=sync_batch_norm)
    request = Request(
        names=artifacts,
        scale=scale,
        seeds=seeds_of(seeds),
        changes=changes or [],
        results=results,
        machine=machine,
        fresh=fresh,
        elsewhere=launcher == "ray",
    )
    _run(request, launching(launcher, address, together))


@app.command(short_help="What would be trained, why, and for how long.")
def plan(
    artifacts: Annotated[
        list[str] | None, typer.Argument(metavar="[ARTIFACT...]", help="All by default.")
    ] = None,
    scale: ScaleOption = "mini",
    seeds: Seeds = "0",
    data_root: DataRoot = None,
    weights: Weights = None,
    device: Device = "auto",
    changes: Changes = None,
    fresh: Fresh = False,
    calibrate: Calibrate = False,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Every distinct run with run, resume, reuse or deliver, the reason and the estimated time.

    python -m reproduce plan table1 --seeds 0,1,2 --format json
    """
    from experiments import registry

    names = artifacts or [summary.name for summary in registry.summaries()]
    registry.check_names(names)
    from cdd.training.calibration import measure_pace
    from cdd.training.environment import Machine
    from reproduce.cli.printing import plan_as_plain, show_plan
    from reproduce.execution.listener import Listener
    from reproduce.pipeline.session import Request, Session

    machine = Machine(device=device, data_root=data_root, imagenet=weights)
    request = Request(
        names=names,
        scale=scale,
        seeds=seeds_of(seeds),
        changes=changes or [],
        results=results,
        machine=machine,
        fresh=fresh,
    )
    found = Session(request, Listener()).plan(partial(measure_pace, machine=machine) if calibrate else None)
    if output == "json":
        typer.echo(json.dumps(plan_as_plain(found), indent=2))
    else:
        show_plan(found)


@app.command(short_help="Draw from what is stored; train nothing.")
def show(
    artifacts: Names,
    scale: ScaleOption = "mini",
    seeds: Annotated[
        str | None, typer.Option(help="By default those of 0..9 that have all results, or any.")
    ] = None,
    changes: Changes = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Draws your finished runs beside the reference; the reference alone where you have none.

    python -m reproduce show table1 --format json
    """
    from experiments import registry

    registry.check_names(artifacts)
    from reproduce.cli.printing import Display, drawn_as_plain, show_drawn
    from reproduce.pipeline.session import Request, Session

    request = Request(
        names=artifacts,
        scale=scale,
        seeds=None if seeds is None else seeds_of(seeds),
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


app.command("list", short_help="The artifacts that can be made.")(listing.list_artifacts)
app.command(short_help="Whether the sources' claims hold.")(claims.claims)
app.command(short_help="Everything that was measured, on one page.")(report.report)
app.command(short_help="Finished runs into the committed reference; for maintainers.")(record.record)
app.command(short_help="What a finished run finds, as a picture.")(gallery.gallery)
app.command(short_help="One file with a finished run, for another machine.")(runs.export_run)
app.command(short_help="Take in a run that export-run wrote.")(runs.import_run)
app.command(short_help="MP and FLOPs of a backbone.")(tools.cost)
app.command(short_help="Accuracy of embeddings on disk.")(tools.evaluate)
app.command(short_help="MLflow's pages on the same store.")(tools.ui)
app.command(short_help="Check this installation.")(tools.doctor)
app.command(short_help="Tune settings on validation identities.")(study.study)
app.add_typer(data.app, name="data", short_help="Check and prepare the real data sets.")


def _run(request: "Request", launcher: "AbstractContextManager[Launch]") -> None:
    from cdd.run import run
    from reproduce.cli.printing import Display, show_drawn
    from reproduce.pipeline.session import Session

    if follows():
        follow(request.machine)
        return
    with launcher as launch, Display() as display, led(run, request.machine) as train:
        drawn = Session(request, display, launch).run(train)
    for artifact in drawn:
        show_drawn(artifact)
    if not all(artifact.complete for artifact in drawn):
        raise typer.Exit(FAILURE)


def main() -> None:
    """Entry point of `python -m reproduce`."""
    app(prog_name="python -m reproduce")
