"""What choices are worth against a default: differences, intervals and the figure, from given runs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdd.recipe import Recipe
from experiments.schema.claim import Comparison, FinalMetric, RunRef
from experiments.schema.figure import Curve, ForestPlot, Variant
from experiments.schema.scale import Scale
from experiments.schema.table import BEYOND
from reproduce.claims.evaluate import evaluate_claims
from reproduce.evidence.context import RenderContext
from reproduce.evidence.run_lookup import RunLookup
from reproduce.execution.outcome import Outcome
from reproduce.figures.effect_sizes import PairedComparison, best_and_last
from reproduce.figures.forest_panels import QUERIES, WHOLE
from reproduce.figures.forest_plot import draw_forest
from reproduce.figures.output import RenderedFigure
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from reproduce.storage.query_results import write_identities
from reproduce.storage.run_record import read_records
from tests.reproduce.fakes import ACCURACY, GROUP, PARAMETERS, a_student, a_teacher
from tests.reproduce.recorded import claim
from tests.small import student_recipe

IDENTITIES = np.repeat(np.arange(20), 3)
DIGEST = "0123456789abcdef"


def shorter(scale: Scale, seed: int) -> Recipe:
    return student_recipe(seed=seed, teacher=a_teacher(scale, seed), evaluate_every=2)


def choice(label: str, recipe: Callable[[Scale, int], Recipe], **more: Any) -> Variant:
    return Variant(
        label=label, recipe=recipe, number="A1", text="silent", release="so", setting="evaluate_every", **more
    )


FOREST = ForestPlot(
    name="forest9",
    title="Choices on a shelf",
    source=BEYOND,
    group=GROUP,
    default=Curve(label="Default", recipe=a_student),
    curves=(choice("Shorter", shorter), choice("Best epoch", a_student, epoch="best")),
    columns=(ACCURACY, PARAMETERS),
    panels=(ACCURACY,),
)
SHORTER, BEST = FOREST.curves


def precision(recipe: Recipe) -> np.ndarray:
    """Of 60 queries; a shorter training is 0.02 better at seed 0 and 0.04 at seed 1 on average."""
    values = 0.3 + 0.01 * recipe.seed + 0.1 * (IDENTITIES % 5) / 4
    gain = 0.02 * (1 + recipe.seed) * (1 + 0.5 * ((IDENTITIES % 2) - 0.5))
    return values + (gain if recipe.evaluate_every == 2 else 0)


def record(recipe: Recipe) -> dict[str, Any]:
    by_query = precision(recipe).round(4)
    parameters = (8e6 if recipe.evaluate_every == 2 else 1e7) * (1 + 0.01 * recipe.seed)
    return {
        "run_id": recipe.run_id,
        "recipe": recipe.to_json(),
        "metrics": {"parameters": parameters, "camera_rule/mAP": float(by_query.mean())},
        "channels": None,
        "environment": {"device": "cpu", "data_digest": DIGEST},
        "history": {
            "epoch": [1, 2, 3],
            "camera_rule/mAP": [0.1, 0.34, 0.33],
            "parameters": [2e7, 1.5e7, 1e7],
        },
        "average_precision": {"camera_rule": by_query.tolist()},
    }


def material(
    folder: Path, seeds: list[int], *, recorded: Mapping[str, list[int]] | None = None, known: bool = True
) -> RenderContext:
    """Records of the default and the choice for these seeds, drawn for `seeds`; the queries' identities."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    recorded = {"default": seeds, "shorter": seeds} if recorded is None else recorded
    made = [a_student("mini", s) for s in recorded["default"]] + [
        shorter("mini", s) for s in recorded["shorter"]
    ]
    for recipe in made:
        (folder / "runs" / f"{recipe.run_id}.json").write_text(json.dumps(record(recipe)))
    if known:
        write_identities(folder, a_student("mini", 0).data, DIGEST, {"camera_rule": IDENTITIES.tolist()})
    records = read_records(folder)
    wanted = requested_runs(FOREST, "mini", seeds, parse([]))
    outcomes = {
        run_id: Outcome(state="finished", metrics=found.metrics, environment=found.environment)
        for run_id, found in records.items()
    }
    return RenderContext(
        scale="mini", requested_runs=wanted, outcomes=outcomes, records=records, folder=folder
    )


def compared(folder: Path, seeds: list[int], **more: Any) -> PairedComparison:
    return PairedComparison(FOREST, material(folder, seeds, **more))


def test_a_difference_is_the_mean_over_the_seeds_in_points_or_in_percent(tmp_path: Path) -> None:
    comparison = compared(tmp_path, [0, 1])
    accuracy, size = (comparison.worth(SHORTER, column).interval for column in FOREST.columns)
    assert accuracy is not None
    assert accuracy.mean == pytest.approx(3, abs=0.01)
    assert size is not None
    assert size.mean == pytest.approx(-20)
    assert comparison.worth(SHORTER, PARAMETERS).values == {0: pytest.approx(8), 1: pytest.approx(8.08)}


def test_swapping_choice_and_default_mirrors_the_difference(tmp_path: Path) -> None:
    swapped = replace(
        FOREST, default=Curve(label="Shorter", recipe=shorter), curves=(choice("Default", a_student),)
    )
    given = material(tmp_path, [0, 1])
    there = PairedComparison(FOREST, given).worth(SHORTER, ACCURACY).interval
    back = PairedComparison(swapped, given).worth(swapped.curves[0], ACCURACY).interval
    assert there is not None
    assert back is not None
    assert (back.low, back.mean, back.high) == pytest.approx((-there.high, -there.mean, -there.low))


def test_queries_widen_the_interval_only_where_each_is_known(tmp_path: Path) -> None:
    known = compared(tmp_path / "known", [0]).worth(SHORTER, ACCURACY).interval
    assert known is not None
    assert known.queries is not None
    assert known.low < known.mean < known.high
    # Ten identities gain 1.5 points, ten 2.5: the mean of twenty drawn has a deviation of 0.5 / sqrt(20).
    assert known.queries == pytest.approx(1.645 * 0.5 / 20**0.5, rel=0.1)
    without = compared(tmp_path / "unknown", [0], known=False).worth(SHORTER, ACCURACY).interval
    assert without is not None
    assert (without.queries, without.low, without.high) == (None, without.mean, without.mean)
    size = compared(tmp_path / "known", [0]).worth(SHORTER, PARAMETERS).interval
    assert size is not None
    assert size.queries is None


def test_one_seed_takes_the_spread_of_runs_of_several_seeds(tmp_path: Path) -> None:
    comparison = compared(tmp_path, [0], recorded={"default": [0, 1, 2], "shorter": [0]})
    # Seeds have 30, 31 and 32 points: a deviation of 1, and a difference of two such runs the root of 2.
    assert comparison.seed_deviation(ACCURACY) == pytest.approx(1)
    # 10.0, 10.1 and 10.2 M: 0.1 in percent of their mean.
    assert comparison.seed_deviation(PARAMETERS) == pytest.approx(10 / 10.1)
    wide = comparison.worth(SHORTER, ACCURACY).interval
    assert wide is not None and wide.spread is not None and wide.pooled_from_other_runs
    assert wide.spread.deviation == pytest.approx(2**0.5)
    assert wide.spread.freedom == 2
    alone = compared(tmp_path / "alone", [0])
    assert alone.seed_deviation(ACCURACY) is None
    narrow = alone.worth(SHORTER, ACCURACY).interval
    assert narrow is not None and narrow.spread is None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_several_seeds_have_the_spread_of_their_differences(tmp_path: Path) -> None:
    alone = compared(tmp_path / "alone", [0, 1], known=False).worth(SHORTER, ACCURACY).interval
    assert alone is not None and alone.spread is not None
    # 2 points at seed 0 and 4 at seed 1.
    assert alone.spread.deviation == pytest.approx(2**0.5, abs=0.01)
    assert alone.spread.freedom == 1
    # Student's t of one degree of freedom, 6.314, times the deviation of a mean over two seeds, 1.
    assert alone.high - alone.mean == pytest.approx(6.314, rel=1e-3)
    interval = compared(tmp_path, [0, 1]).worth(SHORTER, PARAMETERS).interval
    assert interval is not None
    assert interval.low == pytest.approx(interval.high)  # 20 % fewer with either seed


def test_a_choice_is_worth_what_a_claim_about_it_is_judged_by(tmp_path: Path) -> None:
    given = material(tmp_path, [0, 1])
    known = RunLookup(tmp_path, "mini", {"forest9": FOREST})
    first, second = (RunRef("forest9", label, GROUP.title) for label in ("Shorter", "Default"))
    for column in FOREST.columns:
        (found,) = evaluate_claims([claim(FinalMetric(column), pairs=(Comparison(first, second),))], known)
        worth = PairedComparison(FOREST, given).worth(SHORTER, column).interval
        assert worth is not None
        assert found.interval == (worth.mirrored if column is PARAMETERS else worth)


def test_the_best_epoch_is_compared_with_the_last_of_the_same_training(tmp_path: Path) -> None:
    comparison = compared(tmp_path, [0])
    accuracy, size = (comparison.worth(BEST, column).interval for column in FOREST.columns)
    assert accuracy is not None
    assert accuracy.mean == pytest.approx(1)
    assert size is not None
    assert size.mean == pytest.approx(50)


def test_of_equally_good_epochs_the_last_one_is_the_best(tmp_path: Path) -> None:
    compared(tmp_path, [0])
    (found, *_) = read_records(tmp_path).values()
    same = replace(found, history={"epoch": [1, 2, 3], "a": [1.0, 2.0, 2.0], "b": [5.0, 6.0, 7.0]})
    assert best_and_last(same, "b", "a") == (7.0, 7.0)
    assert best_and_last(same, "c", "a") is None


def drawn(folder: Path, **more: Any) -> RenderedFigure:
    return draw_forest(FOREST, material(folder, [0], **more))


def test_the_table_has_the_default_and_every_choice_and_says_what_the_intervals_are_of(
    tmp_path: Path,
) -> None:
    found = drawn(tmp_path, recorded={"default": [0, 1, 2], "shorter": [0]}).sheet
    worth, points = found.blocks
    assert list(worth.frame.index) == [("-", "Default"), ("A1", "Shorter"), ("A1", "Best epoch")]
    default, switched, best = worth.frame.to_numpy().tolist()
    assert default == ["35.00", "-", "10.000", "-"]
    assert switched[0] == "37.00"
    assert switched[1].startswith("+2.00 [−")
    assert best == ["34.00", "+1.00", "15.000", "+50.0"]
    assert points.frame.to_numpy().tolist() == [["silent", "so", "evaluate_every"]] * 2
    assert any("their spread is that of recorded runs" in note for note in found.notes)
    assert found.notes[-1] == "Grey band: Default ± its standard deviation over 3 seeds."


@pytest.mark.parametrize(
    ("seeds", "known", "text"),
    [
        ([0], True, "over queries for the same trained networks"),
        ([0, 1], True, "over seeds. Of mAP also over other queries"),
        ([0, 1], False, "interval of the difference, over seeds."),
        ([0], False, None),
    ],
)
def test_the_note_says_where_an_interval_comes_from(
    tmp_path: Path, seeds: list[int], known: bool, text: str | None
) -> None:
    notes = draw_forest(FOREST, material(tmp_path, seeds, known=known)).sheet.notes
    found = [note for note in notes if "interval" in note]
    assert len(found) == (text is not None)
    assert text is None or text in found[0]


def test_a_default_of_more_seeds_than_a_choice_lends_it_their_spread(tmp_path: Path) -> None:
    given = material(tmp_path, [0, 1, 2], recorded={"default": [0, 1, 2], "shorter": [0]})
    assert any("spread is that of recorded runs" in note for note in draw_forest(FOREST, given).sheet.notes)


def test_without_runs_it_says_so(tmp_path: Path) -> None:
    found = drawn(tmp_path, recorded={"default": [], "shorter": []})
    assert found.sheet.blocks[0].frame.to_numpy().tolist() == [
        ["not run", "-"] * 2,
        ["not run", "not run"] * 2,
        ["not run", "not run"] * 2,
    ]


def test_the_same_bytes_twice_and_others_for_other_numbers(tmp_path: Path) -> None:
    first = drawn(tmp_path / "one")
    assert first.files == drawn(tmp_path / "one").files
    other = drawn(tmp_path / "two", recorded={"default": [0, 1, 2], "shorter": [0]})
    assert other.files[".png"] != first.files[".png"]
    assert b"/FontFile2" in first.files[".pdf"]
    assert "[−" in first.files[".md"].decode() or "[+" in first.files[".md"].decode()


def test_bars_and_bands_are_named_in_the_figure(tmp_path: Path) -> None:
    svg = drawn(tmp_path, recorded={"default": [0, 1, 2], "shorter": [0]}).files[".svg"].decode()
    for text in ("Default ± its standard deviation over 3 seeds", WHOLE, QUERIES):
        assert f"<!-- {text} -->" in svg
