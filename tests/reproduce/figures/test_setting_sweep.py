"""Figures of one setting and of channels per block, from numbers given by hand."""

from dataclasses import replace
from math import log
from pathlib import Path

import pytest

from cdd.recipe import Recipe
from experiments.schema.figure import Artifact, ChannelBars, Curve, Sweep
from experiments.schema.scale import Scale
from reproduce.evidence.context import ReferenceRuns, RenderContext
from reproduce.execution.outcome import Outcome
from reproduce.figures.channel_bars import draw_bars
from reproduce.figures.output import RenderedFigure
from reproduce.figures.setting_sweep import (
    BANDS_PER_AXIS,
    LEAST_SPAN,
    UNKNOWN_SPREAD,
    Line,
    axis_range,
    draw_sweep,
    seed_deviations,
)
from reproduce.figures.style import BAND
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from reproduce.statistics.intervals import pooled
from reproduce.storage.run_record import RunRecord
from tests.reproduce.fakes import GROUP, a_student, a_teacher, row, table
from tests.reproduce.recorded import answers, record
from tests.small import student_recipe


def other(scale: Scale, seed: int) -> Recipe:
    return student_recipe(seed=seed, evaluate_every=2)


SWEEP = Sweep(
    table=table(
        row("p = 1", a_teacher, MP=20.0), row("p = 2", a_student), row("p = 4", other), name="sweep9"
    ),
    axis="p",
    values={"p = 1": 1, "p = 2": 2, "p = 4": 4},
)
BARS = ChannelBars(
    name="bars9",
    title="Channels on a shelf",
    source="Somebody, CONF 2023, Figure 9",
    group=GROUP,
    curves=(Curve(label="Without", recipe=a_teacher), Curve(label="With", recipe=a_student, own=True)),
)


def material(artifact: Artifact, *, run: bool = True) -> RenderContext:
    """Two seeds; parameters 10 M, 20 M, ... by row; channels 4, 3, 2, 1 with and 8 everywhere without."""
    wanted = requested_runs(artifact, "mini", [0, 1], parse([]))
    labels = list(dict.fromkeys(requested.label for requested in wanted))
    outcomes, records = {}, {}
    for requested in wanted if run else []:
        place, run_id = labels.index(requested.label) + 1, requested.recipe.run_id
        metrics = {
            "parameters": 1e7 * place,
            "camera_rule/mAP": 0.5 + 0.1 * place + 0.02 * requested.recipe.seed,
        }
        channels = [4, 3, 2, 1] if requested.label == "With" else [8, 8, 8, 8]
        outcomes[run_id] = Outcome(state="finished", metrics=metrics, environment={"device": "cpu"})
        records[run_id] = RunRecord(run_id, {}, metrics, {}, channels, {})
    return RenderContext(scale="mini", requested_runs=wanted, outcomes=outcomes, records=records)


def recorded(folder: Path) -> RenderContext:
    """Records of p = 2 for three seeds, 50, 52 and 54 %, and of p = 4 for two, 60 and 61 %."""
    for recipe, precision in [
        *((a_student("mini", seed), 0.50 + 0.02 * seed) for seed in (0, 1, 2)),
        *((other("mini", seed), 0.60 + 0.01 * seed) for seed in (0, 1)),
    ]:
        record(folder, recipe, precision=answers(precision, 0.0), parameters=4e6 * (1 + recipe.seed))
    return replace(material(SWEEP), source=folder)


def said(picture: RenderedFigure, text: str) -> bool:
    """Whether the figure itself has the text."""
    return f"<!-- {text} -->" in picture.files[".svg"].decode()


def test_bands_are_the_standard_deviation_over_seeds_pooled_over_runs(tmp_path: Path) -> None:
    found = seed_deviations(SWEEP, recorded(tmp_path))
    expected = pooled([[50, 52, 54], [60, 61]])
    assert expected is not None
    assert found["Shelf", "mAP"] == pytest.approx(expected.deviation)
    costs = pooled([[log(1), log(2), log(3)], [log(1), log(2)]])
    assert costs is not None
    assert found["Shelf", "MP"] == pytest.approx(costs.deviation)
    picture = draw_sweep(SWEEP, recorded(tmp_path))
    assert said(picture, BAND) and not said(picture, UNKNOWN_SPREAD)
    assert any(f"mAP, Shelf, {expected.deviation:.2f} points" in note for note in picture.sheet.notes)


def test_without_runs_of_several_seeds_the_figure_says_that_no_band_is_known() -> None:
    assert said(swept(), UNKNOWN_SPREAD) and not said(swept(), BAND)


@pytest.mark.parametrize("half", [0.1, 0.4, 3.0])
@pytest.mark.parametrize("step", [0.0, 0.3, 50.0])
def test_no_band_takes_more_than_its_share_of_an_axis_that_shows_everything(half: float, step: float) -> None:
    points = {1.0: 30.0, 2.0: 30.0 + step}
    line = Line("a", "b", "o", points, dict.fromkeys(points, half), {1.0: 80.0} if step else {})
    low, high = axis_range([line], LEAST_SPAN)
    assert high - low >= BANDS_PER_AXIS * half * 0.999999
    shown = [*line.paper.values(), *(value + sign * half for value in points.values() for sign in (-1, 1))]
    assert all(low <= value <= high for value in shown)
    low, high = axis_range([replace(line, deviations={}, paper={})], LEAST_SPAN)
    assert high - low >= LEAST_SPAN * 0.999999


def test_the_papers_points_are_relative_where_the_scale_is_not_the_papers() -> None:
    both = replace(SWEEP, table=table(*SWEEP.table.rows[:2], row("p = 4", other, MP=30.0), name="sweep9"))
    picture = draw_sweep(both, material(both))
    assert said(picture, "the paper's, Shelf")
    assert said(picture, "MP (% of p = 1)") and said(picture, "mAP diff. (points)")
    assert not said(swept(), "the paper's, Shelf"), "its own default alone says nothing"
    own = draw_sweep(both, replace(material(both), scale="paper"))
    assert said(own, "the paper's, Shelf") and said(own, "MP (M)")


def test_the_reference_is_drawn_in_the_same_axes(tmp_path: Path) -> None:
    given = recorded(tmp_path)
    beside = ReferenceRuns(given.requested_runs, given.outcomes, tmp_path)
    picture = draw_sweep(SWEEP, replace(given, source=tmp_path / "none", reference=beside))
    assert said(picture, "Shelf protocol") and said(picture, "reference: Shelf protocol")
    assert said(picture, BAND), "where the user has no runs of several seeds the reference lends its spread"


def swept(*, run: bool = True) -> RenderedFigure:
    return draw_sweep(SWEEP, material(SWEEP, run=run))


def test_a_sweep_is_its_table_with_a_picture(tmp_path: Path) -> None:
    found = swept()
    assert [path.name for path in found.write(tmp_path)] == [
        f"sweep9{s}" for s in (".pdf", ".png", ".svg", ".csv", ".md")
    ]
    assert "(sweep9.png)" in (tmp_path / "sweep9.md").read_text()
    means = {(line["row"], line["column"]): line["mean"] for line in found.sheet.numbers.to_dict("records")}
    assert [means[label, "MP"] for label in SWEEP.values] == [10, 20, 30]
    assert means["p = 4", "mAP"] == pytest.approx(81)


def test_pictures_are_the_same_bytes_when_drawn_twice() -> None:
    assert swept().files == swept().files
    assert draw_bars(BARS, material(BARS)).files == draw_bars(BARS, material(BARS)).files


def test_other_numbers_are_another_picture() -> None:
    changed = replace(SWEEP, values={"p = 1": 1, "p = 2": 3, "p = 4": 4})
    assert draw_sweep(changed, material(changed)).files[".png"] != swept().files[".png"]


@pytest.mark.parametrize("run", [True, False])
def test_bars_are_every_block_of_every_run(run: bool) -> None:
    found = draw_bars(BARS, material(BARS, run=run)).sheet
    texts = found.blocks[0].frame.to_numpy().tolist()
    if not run:
        assert texts == [["not run"], ["not run"]]
        return
    assert texts == [["32", "8", "8", "8", "8"], ["10", "4", "3", "2", "1"]]
    assert len(found.numbers) == 16


def test_a_sweep_without_any_run_says_so() -> None:
    assert "None of these runs has finished." in swept(run=False).sheet.notes


def test_every_row_of_a_sweep_has_a_place_on_the_axis() -> None:
    with pytest.raises(ValueError, match=r"has rows .* but values for"):
        replace(SWEEP, values={"p = 1": 1})


def test_a_baseline_is_a_line_of_its_own_and_no_place_on_the_axis() -> None:
    values = {label: value for label, value in SWEEP.values.items() if label != "p = 1"}
    with_line = replace(SWEEP, values=values, baseline="p = 1", logarithmic=True)
    without = replace(
        with_line, table=replace(SWEEP.table, rows=SWEEP.table.rows[1:], reference=None), baseline=None
    )
    found = draw_sweep(with_line, material(with_line))
    assert found.files[".png"] != draw_sweep(without, material(without)).files[".png"]
    assert "p = 1" in {line["row"] for line in found.sheet.numbers.to_dict("records")}
    with pytest.raises(ValueError, match=r"has rows .* but values for"):
        replace(with_line, baseline=None)
