"""`study`: settings tuned with Optuna on validation identities."""

from pathlib import Path
from typing import Annotated, Literal

import typer

RESULTS = Path("results")

app = typer.Typer(no_args_is_help=True, help="Tune settings on validation identities, with Optuna.")


@app.command(short_help="The weights of a distillation method.")
def weight(
    method: Annotated[str, typer.Option(help="Of a row of the table, for example rkd.")],
    artifact: Annotated[str, typer.Option(help="The table that has the row.")] = "table3",
    trials: Annotated[int, typer.Option(min=1, help="Finished trials that the study shall have.")] = 20,
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
    """Tunes a method's weights for the mAP of validation identities; the same command goes on.

    python -m reproduce study weight --method rkd --trials 20
    """
    from cdd.run import run
    from cdd.training.environment import Machine
    from reproduce.cli_display import Display, show_sheet
    from reproduce.study import StudyRequest, WeightStudy

    request = StudyRequest(
        artifact=artifact,
        method=method,
        trials=trials,
        scale=scale,
        seed=seed,
        storage=storage,
        changes=changes or [],
        results=results,
        machine=Machine(device=device, data_root=data_root),
    )
    with Display() as display:
        tuned = WeightStudy(request, display).run(run)
    show_sheet(tuned.sheet, tuned.files)
