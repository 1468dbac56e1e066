"""`study`: settings tuned with Optuna on validation identities."""

from typing import Annotated, Literal

import typer

from cdd.run import run
from cdd.training.environment import Machine
from reproduce.cli.options import RESULTS, DataRoot, Device, Results, ScaleOption, Seed
from reproduce.cli.printing import show_sheet
from reproduce.cli.progress import Display
from reproduce.errors import UsageError
from reproduce.execution.torchrun import distributed_train, serve_as_worker
from reproduce.execution.torchrun_environment import is_worker
from reproduce.studies.study import RowStudy
from reproduce.studies.target import StudyRequest

Name = Literal["alpha", "p", "k", "weight", "pareto"]
Kind = Annotated[Name, typer.Argument(help="What is tuned; pareto: alpha and p for accuracy and cost.")]
MethodName = Annotated[str | None, typer.Option(help="With weight: of a row of the table, e.g. rkd.")]
TableName = Annotated[str | None, typer.Option("--artifact", help="The table that has the row.")]
Trials = Annotated[int, typer.Option(min=1, max=100_000, help="Finished trials that the study shall have.")]
Prune = Annotated[bool, typer.Option(help="End trials early that fall behind (one objective).")]
Storage = Annotated[
    str | None, typer.Option(help="Optuna's storage URL; by default a sqlite file in the results.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Made to every run of the study; may be repeated."),
]
OWN_ROW = "CDD+RGGR"
WHERE = {"weight": "table3"}
"""The table whose row is tuned where it is not said; Table 1 for the paper's own method."""


def study(
    name: Kind,
    method: MethodName = None,
    artifact: TableName = None,
    trials: Trials = 20,
    prune: Prune = True,
    scale: ScaleOption = "mini",
    seed: Seed = 0,
    storage: Storage = None,
    changes: Changes = None,
    data_root: DataRoot = None,
    device: Device = "auto",
    results: Results = RESULTS,
) -> None:
    """Tunes settings on validation identities; the same command goes on, in several shells at once, too.

    python -m reproduce study weight --method rkd --trials 20
    """
    _check(name, method)

    request = StudyRequest(
        space=name,
        artifact=artifact or WHERE.get(name, "table1"),
        row=None if method else OWN_ROW,
        method=method,
        trials=trials,
        prunes=prune,
        scale=scale,
        seed=seed,
        storage=storage,
        changes=changes or [],
        results=results,
        machine=Machine(device=device, data_root=data_root),
    )
    _run(request)


def _run(request: StudyRequest) -> None:

    if is_worker():
        serve_as_worker(request.machine)
        return
    with Display() as display, distributed_train(run, request.machine) as train:
        tuned = RowStudy(request, display).run(train)
    show_sheet(tuned.sheet, tuned.files)


def _check(name: str, method: str | None) -> None:

    if (method is None) == (name == "weight"):
        wanted = "needs --method, for example --method rkd" if method is None else "takes no --method"
        raise UsageError(f"study {name} {wanted}")
