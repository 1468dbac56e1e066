"""`study`: settings tuned with Optuna on validation identities."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Name = Literal["alpha", "p", "k", "weight", "pareto"]
RESULTS = Path("results")
OWN_ROW = "CDD+RGGR"
WHERE = {"weight": "table3"}
"""The table whose row is tuned where it is not said; Table 1 for the paper's own method."""


def study(
    name: Annotated[Name, typer.Argument(help="What is tuned; pareto: alpha and p for accuracy and cost.")],
    method: Annotated[str | None, typer.Option(help="With weight: of a row of the table, e.g. rkd.")] = None,
    artifact: Annotated[str | None, typer.Option(help="The table that has the row.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Finished trials that the study shall have.")] = 20,
    prune: Annotated[bool, typer.Option(help="End trials early that fall behind (one objective).")] = True,
    scale: Annotated[Literal["mini", "bench", "paper"], typer.Option()] = "mini",
    seed: Annotated[int, typer.Option(min=0, help="Of the runs and of the sampler.")] = 0,
    storage: Annotated[
        str | None, typer.Option(help="Optuna's storage URL; by default a sqlite file in the results.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Made to every run of the study; may be repeated."),
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the real data sets.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    results: Annotated[Path, typer.Option(help="Folder of stores, checkpoints and tables.")] = RESULTS,
) -> None:
    """Tunes settings on validation identities; the same command goes on, in several shells at once, too.

    python -m reproduce study weight --method rkd --trials 20
    """
    from reproduce.errors import UsageError

    if (method is None) == (name == "weight"):
        wanted = "needs --method, for example --method rkd" if method is None else "takes no --method"
        raise UsageError(f"study {name} {wanted}")
    from cdd.run import run
    from cdd.training.environment import Machine
    from reproduce.cli_display import Display, show_sheet
    from reproduce.study import RowStudy, StudyRequest

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
    with Display() as display:
        tuned = RowStudy(request, display).run(run)
    show_sheet(tuned.sheet, tuned.files)
