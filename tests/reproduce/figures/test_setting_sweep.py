"""Figures of one setting and of channels per block, from numbers given by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdd.recipe import Recipe
from experiments.schema.figure import Artifact, ChannelBars, Curve, Sweep
from experiments.schema.scale import Scale
from reproduce.evidence.context import Material
from reproduce.execution.outcome import Outcome
from reproduce.figures.channel_bars import draw_bars
from reproduce.figures.output import DrawnPicture
from reproduce.figures.setting_sweep import draw_sweep
from reproduce.planning.overrides import parse
from reproduce.planning.wish import wishes
from reproduce.storage.run_record import Record
from tests.reproduce.fakes import GROUP, a_student, a_teacher, row, table
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


def material(artifact: Artifact, *, run: bool = True) -> Material:
    """Two seeds; parameters 10 M, 20 M, ... by row; channels 4, 3, 2, 1 with and 8 everywhere without."""
    wanted = wishes(artifact, "mini", [0, 1], parse([]))
    labels = list(dict.fromkeys(wish.label for wish in wanted))
    outcomes, records = {}, {}
    for wish in wanted if run else []:
        place, run_id = labels.index(wish.label) + 1, wish.recipe.run_id
        metrics = {"parameters": 1e7 * place, "camera_rule/mAP": 0.5 + 0.1 * place + 0.02 * wish.recipe.seed}
        channels = [4, 3, 2, 1] if wish.label == "With" else [8, 8, 8, 8]
        outcomes[run_id] = Outcome(state="finished", metrics=metrics, environment={"device": "cpu"})
        records[run_id] = Record(run_id, {}, metrics, {}, channels, {})
    return Material(scale="mini", wishes=wanted, outcomes=outcomes, records=records)


def swept(*, run: bool = True) -> DrawnPicture:
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
