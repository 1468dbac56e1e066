"""Figures of blocks, of quantiles and of all runs together, from histories given by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from experiments.schema.figure import Artifact, BlockHeatmap, Curve, QuantileBands, TradeoffScatter
from experiments.schema.table import BEYOND
from reproduce.evidence.context import RenderContext
from reproduce.evidence.histories import numbered
from reproduce.execution.outcome import Outcome
from reproduce.figures.block_heatmap import draw_block_map
from reproduce.figures.output import RenderedFigure
from reproduce.figures.quantile_bands import draw_distribution
from reproduce.figures.tradeoff_scatter import draw_cloud
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from reproduce.storage.run_record import RunRecord
from tests.reproduce.fakes import (
    ACCURACY,
    GROUP,
    PARAMETERS,
    STUDENT,
    TEACHER,
    a_student,
    a_teacher,
    table,
)

MAP = BlockHeatmap(
    name="map9",
    title="Share of a shelf",
    source=BEYOND,
    group=GROUP,
    curves=(Curve(label="With", recipe=a_student), Curve(label="Without", recipe=a_teacher)),
    metric="masked",
    quantity="share masked",
)
SPREAD = QuantileBands(
    name="spread9",
    title="Lengths on a shelf",
    source="Somebody, CONF 2023, Figure 9",
    group=GROUP,
    curves=MAP.curves,
    metric="row_norm",
    quantity="norm",
    limit=lambda recipe: 1e-5,
    limit_text="pruned below",
)
CLOUD = TradeoffScatter(
    name="cloud9",
    title="Everything",
    source=BEYOND,
    groups=(GROUP,),
    artifacts=(table(TEACHER, STUDENT), table(STUDENT, name="again")),
    cost=PARAMETERS,
    accuracy=ACCURACY,
    family=lambda recipe: "student" if recipe.teacher else "teacher",
)


def material(artifact: Artifact, *, run: bool = True) -> RenderContext:
    """Seeds 0 and 1. Students mask 0.1 more of each block and epoch; their norms fall tenfold an epoch."""
    wanted = requested_runs(artifact, "mini", [0, 1], parse([]))
    outcomes, records = {}, {}
    for requested in wanted if run else []:
        run_id, student = requested.recipe.run_id, requested.recipe.teacher is not None
        metrics = {"parameters": 1e7 if student else 4e7, "camera_rule/mAP": 0.6 if student else 0.5}
        history: dict[str, list[float | None]] = {"epoch": [1, 2]}
        if student:
            history |= {f"masked/block_{b:02d}": [0.1 * b, 0.1 * b + 0.1] for b in (1, 2, 3)}
            history |= {f"row_norm/quantile_{q:03d}": [q / 100, q / 1000] for q in (0, 50, 100)}
        outcomes[run_id] = Outcome(state="finished", metrics=metrics, environment={"device": "cpu"})
        records[run_id] = RunRecord(run_id, {}, metrics, history, None, {})
    return RenderContext(scale="mini", requested_runs=wanted, outcomes=outcomes, records=records)


def mapped(*, run: bool = True) -> RenderedFigure:
    return draw_block_map(MAP, material(MAP, run=run))


def spread(*, run: bool = True) -> RenderedFigure:
    return draw_distribution(SPREAD, material(SPREAD, run=run))


def cloud(*, run: bool = True) -> RenderedFigure:
    return draw_cloud(CLOUD, material(CLOUD, run=run))


def test_numbered_metrics_are_found_by_their_name_alone() -> None:
    found = numbered(material(MAP), "masked", "block")
    assert len(found) == 2 * 3 * 2
    assert found[(found.seed == 0) & (found.block == 3)].value.tolist() == pytest.approx([0.3, 0.4])
    assert numbered(material(MAP), "mask", "block").empty


def test_a_block_map_shows_each_block_at_the_end() -> None:
    assert mapped().sheet.blocks[0].frame.to_numpy().tolist() == [
        ["0.20", "0.30", "0.40"],
        ["not measured"] * 3,
    ]


def test_a_distribution_shows_its_quantiles_at_the_end_and_zero_where_it_is_drawn() -> None:
    (block,) = spread().sheet.blocks
    assert block.frame.to_numpy().tolist() == [["1.0e-09", "5.0e-02", "1.0e-01"], ["not measured"] * 3]


def test_a_cloud_has_each_run_once_and_the_front_alone_in_its_table() -> None:
    found = cloud().sheet
    assert len(found.numbers) == 4
    assert found.numbers[found.numbers.on_front].family.unique().tolist() == ["student"]
    assert found.blocks[0].frame.to_numpy().tolist() == [["10.00", "60.00"]] * 2
    assert "Runs shown: 4." in found.notes
    assert "Runs shown: 0. Not every run was made for every seed." in cloud(run=False).sheet.notes


def test_a_cloud_leaves_out_groups_that_it_does_not_show() -> None:
    other = replace(CLOUD, groups=(replace(GROUP, title="Other shelf"),))
    assert other.recipes("mini", 0) == []


@pytest.mark.parametrize("made", [mapped, spread, cloud])
def test_the_same_bytes_twice_and_others_for_other_numbers(made: Callable[..., RenderedFigure]) -> None:
    assert made().files == made().files
    assert made(run=False).files[".png"] != made().files[".png"]
    assert b"/FontFile2" in made().files[".pdf"]


def test_what_the_paper_does_not_have_says_so() -> None:
    assert mapped().sheet.title.startswith("Share of a shelf: mini scale")
    assert mapped().sheet.notes[0].startswith("The paper has no such figure.")
    assert spread().sheet.title.startswith("Figure 9. Lengths")


def test_norms_far_below_the_limit_are_clipped_and_the_figure_says_so() -> None:
    assert b"<!-- clipped at 1e-07 -->" in spread().files[".svg"]
