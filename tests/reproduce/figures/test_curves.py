"""A figure from histories given by hand: its numbers, its marks, its files, what a terminal shows."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.schema.figure import Curve, EpochMarker, LearningCurves
from experiments.schema.table import Table
from reproduce.evidence.context import RenderContext
from reproduce.execution.outcome import Outcome
from reproduce.figures.curves import draw_figure
from reproduce.figures.output import RenderedFigure
from reproduce.figures.style import STYLES
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import RunRecord
from tests.reproduce.fakes import ACCURACY, GROUP, FakeTraining, a_student, a_teacher

FIGURE = LearningCurves(
    name="figure9",
    title="Accuracy of two networks on a shelf",
    source="Somebody, CONF 2023, Figure 9",
    group=GROUP,
    columns=(ACCURACY,),
    curves=(
        Curve(label="Own", recipe=a_student, paper=79.5, own=True),
        Curve(label="Other_& co", recipe=a_teacher),
    ),
    marks=(EpochMarker(text="it begins", curve="Own", epoch=lambda recipe: recipe.schedule.epochs - 1),),
    notes=("One thing to know.",),
)


def drawn(
    figure: LearningCurves = FIGURE, seeds: tuple[int, ...] = (0, 1), *, run: bool = True
) -> RenderedFigure:
    """Own gains 10 points an epoch from 40, the other 5 from 50; each seed one more; epoch 2 unmeasured."""
    wanted = requested_runs(figure, "mini", list(seeds), parse([]))
    records = {}
    for requested in wanted if run else []:
        start, gain = (0.40, 0.10) if requested.label == "Own" else (0.50, 0.05)
        values = [start + 0.01 * requested.recipe.seed + gain * epoch for epoch in range(3)]
        history: dict[str, list[float | None]] = {
            "epoch": [1, 2, 3],
            "camera_rule/mAP": [values[0], None, values[2]],
        }
        run_id = requested.recipe.run_id
        records[run_id] = RunRecord(run_id, {}, {}, history, None, {"device": "cpu"})
    outcomes = {run_id: Outcome(state="finished", environment={"device": "cpu"}) for run_id in records}
    return draw_figure(
        figure, RenderContext(scale="mini", requested_runs=wanted, outcomes=outcomes, records=records)
    )


def test_a_figure_of_which_nothing_was_run_says_so_also_without_numbers_of_the_paper() -> None:
    curves = tuple(replace(curve, paper=None) for curve in FIGURE.curves)
    (block,) = drawn(replace(FIGURE, curves=curves), run=False).sheet.blocks
    assert [column[1] for column in block.frame.columns] == ["not measured"]
    assert block.frame.to_numpy().tolist() == [["-"], ["-"]]


def test_numbers_are_every_measured_epoch_of_every_seed() -> None:
    numbers = drawn().sheet.numbers
    own = numbers[(numbers.curve == "Own") & (numbers.seed == 1)]
    assert own.epoch.tolist() == [1, 3]
    assert own.value.tolist() == pytest.approx([41.0, 61.0])
    assert len(numbers) == 8


def test_the_terminal_sees_each_curve_at_the_mark_and_at_the_end_beside_the_paper() -> None:
    (block,) = drawn().sheet.blocks
    assert [column[1] for column in block.frame.columns] == [
        "epoch 1",
        "epoch 2",
        "epoch 3",
        "paper, last epoch",
    ]
    assert block.frame.to_numpy().tolist() == [
        ["40.50", "not measured", "60.50", "79.50"],
        ["50.50", "not measured", "60.50", "-"],
    ]


def test_files_are_the_same_bytes_when_drawn_twice() -> None:
    assert drawn().files == drawn().files


def test_text_in_the_pdf_is_text_in_an_embedded_font(tmp_path: Path) -> None:
    paths = drawn().write(tmp_path)
    assert [path.name for path in paths] == [f"figure9.{s}" for s in ("pdf", "png", "svg", "csv", "md")]
    content = (tmp_path / "figure9.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert not re.search(rb"/Subtype /Type3", content)


def test_the_caption_shows_the_picture_and_says_what_is_behind_it(tmp_path: Path) -> None:
    drawn().write(tmp_path)
    text = (tmp_path / "figure9.md").read_text()
    assert text.startswith("# Figure 9. Accuracy of two networks on a shelf: mini scale")
    assert "(figure9.png)" in text
    assert "One thing to know." in text
    assert "Seeds: 0, 1" in text


def test_a_figure_without_any_run_says_so() -> None:
    found = drawn(run=False)
    assert found.sheet.numbers.empty
    assert "None of these runs has finished." in found.sheet.notes
    assert found.files[".png"]


def test_drawing_shows_the_own_method_in_black_and_every_line_apart(tmp_path: Path) -> None:
    drawn().write(tmp_path)
    pixels = np.asarray(Image.open(tmp_path / "figure9.png").convert("RGB")).reshape(-1, 3)
    colours = set(map(tuple, pixels.tolist()))
    assert (0, 0, 0) in colours
    first = tuple(int(STYLES[0][0][place : place + 2], 16) for place in (1, 3, 5))
    assert first in colours
    assert len(set(STYLES)) == len(STYLES) >= 12


def test_two_curves_of_one_label_or_a_mark_without_a_curve_are_mistakes() -> None:
    with pytest.raises(ValueError, match="two curves of one label"):
        replace(FIGURE, curves=FIGURE.curves * 2)
    with pytest.raises(ValueError, match="marks the curve 'Nobody'"):
        replace(FIGURE, marks=(EpochMarker(text="x", curve="Nobody", epoch=lambda recipe: 1),))


def test_a_command_trains_and_draws_a_figure_and_show_draws_it_again_from_the_store(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    tables: dict[str, Table],
    workspace: ResultsFolder,
) -> None:
    tables["figure9"] = FIGURE  # type: ignore[assignment]
    (made,) = session("figure9").run(training)
    assert made.complete
    assert made.trained == 2
    assert {path.parent.name for path in made.files} == {"figures"}
    assert len(made.sheet.numbers) == 6
    before = {path.name: path.read_bytes() for path in made.files}
    # As on another machine with the same tracking store.
    shutil.rmtree(workspace.checkpoints)
    shutil.rmtree(workspace.results / "mini")
    (shown,) = session("figure9", seeds=None).show()
    assert {path.name: path.read_bytes() for path in shown.files} == before


def test_a_figure_and_a_table_share_their_runs(
    session: Callable[..., ArtifactPipeline], training: FakeTraining, tables: dict[str, Table]
) -> None:
    tables["figure9"] = FIGURE  # type: ignore[assignment]
    session("tiny", "figure9").run(training)
    assert len(training.begun) == 2


def test_show_draws_a_figure_from_records_alone(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    tables: dict[str, Table],
    workspace: ResultsFolder,
) -> None:
    tables["figure9"] = FIGURE  # type: ignore[assignment]
    (made,) = session("figure9").run(training)
    before = {path.name: path.read_bytes() for path in made.files}
    (workspace.results / "mlflow.db").unlink()
    (shown,) = session("figure9", seeds=None).show()
    assert {path.name: path.read_bytes() for path in shown.files} == before
