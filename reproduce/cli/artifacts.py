"""The verbs about artifacts: train and draw them, plan that, draw them again, list them."""

import json
from dataclasses import replace
from functools import partial

import typer

from cdd.run import run
from cdd.training.calibration import measure_pace
from cdd.training.environment import Machine
from experiments import registry
from reproduce.cli.group import FAILURE
from reproduce.cli.launch import launching
from reproduce.cli.options import (
    RESULTS,
    Address,
    AnyArtifacts,
    Artifacts,
    Calibrate,
    Changes,
    Compiled,
    DataRoot,
    Deterministic,
    Device,
    Fresh,
    LauncherOption,
    OutputFormat,
    Results,
    ScaleOption,
    Seeds,
    SeedsShown,
    ShareTeacher,
    SyncBatchNorm,
    Weights,
    seeds_of,
)
from reproduce.cli.printing import drawn_as_plain, plan_as_plain, show_drawn, show_plan
from reproduce.cli.progress import Display
from reproduce.execution.listener import Listener
from reproduce.execution.torchrun import distributed_train, serve_as_worker
from reproduce.execution.torchrun_environment import is_worker
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions


def run_artifacts(
    artifacts: Artifacts,
    scale: ScaleOption = "mini",
    seeds: Seeds = "0",
    changes: Changes = None,
    fresh: Fresh = False,
    results: Results = RESULTS,
    data_root: DataRoot = None,
    weights: Weights = None,
    device: Device = "auto",
    compiled: Compiled = False,
    deterministic: Deterministic = False,
    sync_batch_norm: SyncBatchNorm = False,
    share_teacher: ShareTeacher = 1,
    launcher: LauncherOption = "local",
    address: Address = None,
) -> None:
    """Trains what is missing, logs it to MLflow and draws the artifacts.

    python -m reproduce table1 --seeds 0,1,2 --set method.sparsity=.01

    torchrun --nproc-per-node 2 -m reproduce table1    each run on two GPUs
    """
    registry.check_names(artifacts)
    machine = Machine(device=device, data_root=data_root, imagenet=weights, compiled=compiled)
    machine = replace(machine, deterministic=deterministic, synchronised_batch_norm=sync_batch_norm)
    request = RunOptions(
        names=artifacts,
        scale=scale,
        seeds=seeds_of(seeds),
        changes=changes or [],
        results=results,
        machine=machine,
        fresh=fresh,
        elsewhere=launcher == "ray",
    )
    launched = launching(launcher, address, share_teacher)
    if is_worker():
        serve_as_worker(machine)
        return
    with launched as launch, Display() as display, distributed_train(run, machine) as train:
        drawn = ArtifactPipeline(request, display, launch).run(train)
    for artifact in drawn:
        show_drawn(artifact)
    if not all(artifact.complete for artifact in drawn):
        raise typer.Exit(FAILURE)


def plan(
    artifacts: AnyArtifacts = None,
    scale: ScaleOption = "mini",
    seeds: Seeds = "0",
    changes: Changes = None,
    fresh: Fresh = False,
    results: Results = RESULTS,
    data_root: DataRoot = None,
    weights: Weights = None,
    device: Device = "auto",
    calibrate: Calibrate = False,
    output: OutputFormat = "text",
) -> None:
    """Every distinct run with run, resume, reuse or deliver, the reason and the estimated time.

    python -m reproduce plan table1 --seeds 0,1,2 --format json
    """
    names = artifacts or [summary.name for summary in registry.summaries()]
    registry.check_names(names)
    machine = Machine(device=device, data_root=data_root, imagenet=weights)
    request = RunOptions(
        names=names,
        scale=scale,
        seeds=seeds_of(seeds),
        changes=changes or [],
        results=results,
        machine=machine,
        fresh=fresh,
    )
    found = ArtifactPipeline(request, Listener()).plan(
        partial(measure_pace, machine=machine) if calibrate else None
    )
    if output == "json":
        typer.echo(json.dumps(plan_as_plain(found), indent=2))
    else:
        show_plan(found)


def show(
    artifacts: Artifacts,
    scale: ScaleOption = "mini",
    seeds: SeedsShown = None,
    changes: Changes = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Draws your finished runs beside the reference; the reference alone where you have none.

    python -m reproduce show table1 --format json
    """
    registry.check_names(artifacts)
    request = RunOptions(
        names=artifacts,
        scale=scale,
        seeds=None if seeds is None else seeds_of(seeds),
        changes=changes or [],
        results=results,
    )
    with Display() as display:
        drawn = ArtifactPipeline(request, display).show()
    if output == "json":
        typer.echo(json.dumps([drawn_as_plain(artifact) for artifact in drawn], indent=2))
        return
    for artifact in drawn:
        show_drawn(artifact)
