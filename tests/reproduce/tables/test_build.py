"""A drawn table in every format, from numbers given by hand."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cdd.architecture import SmallNetwork
from cdd.recipe import Recipe
from experiments.schema.scale import SCALES, Scale
from experiments.schema.table import Table
from reproduce.evidence.context import RenderContext
from reproduce.execution.outcome import Outcome
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from reproduce.statistics.verdicts import EXPLANATION, REPRODUCED
from reproduce.tables import ledger_table
from reproduce.tables.build import draw, write
from reproduce.tables.rendered_table import MINUS, RenderedTable
from reproduce.tables.text import latex, markdown
from tests.reproduce.fakes import GROUP, STUDENT, TEACHER, a_teacher, row, table
from tests.reproduce.recorded import saved
from tests.small import teacher_recipe

GIVEN = row("Elsewhere_& co", None, MP=20.0)
TABLE = table(TEACHER, STUDENT, GIVEN)
JUDGED = saved(75.0)
ENVIRONMENT = {
    "device": "cpu",
    "device_name": "a processor",
    "autocast": "float32",
    "python": "3.12.0",
    "torch": "2.13.0",
    "git_commit": "abcdef0123456789",
    "git_dirty": True,
    "data_digest": "0123456789abcdef",
}


def drawn(
    found: Table = TABLE,
    seeds: tuple[int, ...] = (0, 1, 2),
    scale: Scale = "mini",
    *,
    run: bool = True,
    judged: bool = True,
    changes: tuple[str, ...] = (),
) -> RenderedTable:
    """The sheet where each seed gives the teacher 70, 74, 78 % and the student 1 point less."""
    wanted = requested_runs(found, scale, list(seeds), parse(list(changes)))
    outcomes = {}
    for requested in wanted if run else []:
        mine = requested.label == "Student"
        metrics = {
            "camera_rule/mAP": 0.70 + 0.04 * requested.recipe.seed - (0.01 if mine else 0),
            "parameters": 12e6 if mine else 48e6,
        }
        outcomes[requested.recipe.run_id] = Outcome(
            state="finished", metrics=metrics, environment=ENVIRONMENT
        )
    known = RenderContext(
        scale=scale,
        requested_runs=wanted,
        outcomes=outcomes,
        overrides=changes,
        judged=(JUDGED,) if judged else (),
    )
    return draw(found, known)


def line(sheet: RenderedTable, block: int, label: str, second: str) -> list[str]:
    frame = sheet.blocks[block].frame
    (found,) = [
        cells
        for index, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True)
        if index[0] == label and str(index[-1]).startswith(second)
    ]
    return list(found)


def test_a_row_shows_ours_and_the_papers_and_at_its_scale_the_gap() -> None:
    sheet = drawn(scale="paper")
    assert line(sheet, 0, "Teacher", "yours (3 seeds)") == ["48.00 ± 0.00", "74.00 ± 4.00"]
    assert line(sheet, 0, "Teacher", "paper") == ["40.00", "80.00"]
    assert line(sheet, 0, "Teacher", "gap") == ["+8.00", f"{MINUS}6.00"]
    assert sheet.numbers["gap"].notna().any()


@pytest.mark.parametrize("side_by_side", [False, True])
def test_other_scales_have_no_gap_in_absolute_numbers(side_by_side: bool) -> None:
    for scale in ("mini", "bench"):
        sheet = drawn(replace(TABLE, side_by_side=side_by_side), scale=scale)
        assert "gap" not in markdown(sheet)
        assert sheet.numbers["gap"].isna().all()


def test_a_network_that_is_not_the_papers_is_called_its_stand_in() -> None:
    def recipe(scale: Scale, seed: int) -> Recipe:
        width = 1.0 if scale == "paper" else 0.5
        return teacher_recipe(student=SmallNetwork(family="vgg", depth=13, width=width), seed=seed)

    named = replace(row("A", recipe), texts=("-", "VGG13"))
    same = replace(row("B", a_teacher), texts=("-", "ResNet"))
    found = replace(TABLE, rows=(named, same), headings=("Method", "Teacher", "Student"), reference=None)
    texts = {scale: [i[1:3] for i in drawn(found, scale=scale).blocks[0].frame.index] for scale in SCALES}
    assert set(texts["mini"]) == set(texts["bench"]) == {("-", "VGG13 stand-in"), ("-", "ResNet")}
    assert set(texts["paper"]) == {("-", "VGG13"), ("-", "ResNet")}
    notes = drawn(found).notes
    assert "Stand-ins for the paper's networks at this scale: VGG13, vgg of depth 13, width 0.5." in notes


def test_one_seed_has_no_deviation() -> None:
    assert line(drawn(seeds=(0,)), 0, "Student", "yours (1 seed)") == ["12.00", "69.00"]


def test_relative_rows_are_shares_or_differences() -> None:
    sheet = drawn()
    assert line(sheet, 1, "Student", "yours") == ["25.0 ± 0.0", f"{MINUS}1.0 ± 0.0"]
    assert line(sheet, 1, "Student", "paper") == ["25.0", f"{MINUS}0.5"]
    assert "Relative to Teacher: MP in percent of it, mAP as difference" in sheet.blocks[1].title


def test_a_claim_stands_below_as_in_the_ledger_and_the_words_are_explained() -> None:
    sheet, ledger = drawn(), ledger_table.sheet([JUDGED], "mini")
    assert sheet.blocks[2].frame.equals(ledger.blocks[1].frame)
    assert line(sheet, 2, JUDGED.claim.text, "MP saved, %")[:2] == [REPRODUCED, "+75.00"]
    assert any(EXPLANATION in note for note in sheet.notes)


def test_what_was_never_run_says_so_and_keeps_the_papers_numbers_apart() -> None:
    sheet = drawn(run=False)
    assert line(sheet, 0, "Teacher", "yours") == ["not run", "not run"]
    assert line(sheet, 0, "Teacher", "paper") == ["40.00", "80.00"]
    assert sheet.numbers["mean"].isna().all()
    assert "None of these runs has finished." in sheet.notes


def test_a_reported_row_has_one_line_that_says_reported() -> None:
    frame = drawn().blocks[0].frame
    assert [index[-1] for index in frame.index if index[0] == "Elsewhere_& co"] == ["reported"]
    assert line(drawn(), 0, "Elsewhere_& co", "reported") == ["20.00", "-"]
    assert "Elsewhere_& co" not in {index[0] for index in drawn().blocks[1].frame.index}


def test_rows_keep_the_order_of_the_declaration() -> None:
    frame = drawn(table(STUDENT, GIVEN, TEACHER)).blocks[0].frame
    assert list(dict.fromkeys(index[0] for index in frame.index)) == ["Student", "Elsewhere_& co", "Teacher"]


def test_small_values_get_the_decimals_they_need() -> None:
    small = replace(GROUP.columns[0], factor=1e-9)
    group = replace(GROUP, columns=(small, GROUP.columns[1]))
    sheet = drawn(replace(TABLE, groups=(group,)))
    assert line(sheet, 0, "Student", "yours")[0] == "0.01200 ± 0.00000"


def test_the_title_names_scale_and_stand_in() -> None:
    assert re.match("Table 9. Two networks on a shelf.* mini scale.* household", drawn().title)
    paper = drawn(scale="paper").title
    assert re.match("Table 9. Two networks on a shelf.*paper scale", paper)
    assert "household" not in paper


def test_the_caption_says_what_the_numbers_were_made_with() -> None:
    notes = " ".join(drawn(changes=("optimiser.momentum=.5",)).notes)
    for text in (
        "Somebody, CONF 2023, Table 9",
        "household at 16x16 (digest 0123456789ab)",
        "Seeds: 0, 1, 2",
        "cpu (a processor, float32)",
        "python 3.12.0, torch 2.13.0",
        "abcdef0123 with uncommitted changes",
        "Overridden, so not the paper's setting: optimiser.momentum=.5",
        "1-1-1-1 bottleneck blocks, 4-4-8-8 planes",
    ):
        assert text in notes


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (SmallNetwork(family="wide-resnet", depth=16, width=2), "wide-resnet of depth 16, width 2"),
        (SmallNetwork(family="mobilenet-v2", width=0.5), "mobilenet-v2, width 0.5"),
    ],
)
def test_the_caption_names_networks_for_small_images(network: SmallNetwork, said: str) -> None:
    small = row("Small", lambda scale, seed: teacher_recipe(student=network, seed=seed))
    assert said in " ".join(drawn(table(small)).notes)


def test_csv_comes_back_from_pandas(tmp_path: Path) -> None:
    sheet = drawn()
    files = {path.suffix: path for path in write(sheet, tmp_path)}
    assert set(files) == {".md", ".csv", ".tex", ".pdf"}
    found = pd.read_csv(files[".csv"])
    pd.testing.assert_frame_equal(found, sheet.numbers, check_dtype=False)
    teacher = found[(found["row"] == "Teacher") & (found["column"] == "mAP")].iloc[0]
    assert (teacher["mean"], teacher["std"]) == (74.0, 4.0)
    assert (teacher["state"], teacher["seeds"], teacher["paper"]) == ("measured", 3, 80.0)
    assert set(found[found["row"] == "Elsewhere_& co"]["state"]) == {"reported"}


def test_markdown_has_rectangular_grids_in_row_order() -> None:
    text = markdown(drawn())
    assert text.startswith("# Table 9. Two networks on a shelf: mini scale")
    grids = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(grids) == 3
    for grid in grids:
        assert len({found.count("|") for found in grid.splitlines()}) == 1
    assert text.index("Teacher") < text.index("Student") < text.index("Elsewhere_& co")
    assert "48.00 ± 0.00" in text


def test_latex_escapes_what_it_would_take_as_commands() -> None:
    text = latex(drawn())
    assert r"Elsewhere\_\& co" in text
    assert r"mAP (\%)" in text
    assert r"$\pm$" in text
    assert "$-$0.5" in text
    assert MINUS not in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 3


def test_latex_escapes_overrides_of_every_kind() -> None:
    sheet = replace(drawn(), notes=(r"a={1} $ ^ ~ \b < > #",))
    text = latex(sheet)
    for escaped in (
        r"\{1\}",
        r"\$",
        r"\textasciicircum{}",
        r"\textasciitilde{}",
        r"\textbackslash{}b",
        r"\#",
    ):
        assert escaped in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_compiles(tmp_path: Path) -> None:
    source = r"\documentclass{article}\usepackage{booktabs,multirow}\begin{document}%s\end{document}"
    (tmp_path / "page.tex").write_text(source % latex(drawn()))
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "page.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_table_without_claims_or_runs_is_drawn_too(tmp_path: Path) -> None:
    sheet = drawn(table(TEACHER), run=False, judged=False)
    assert len(sheet.blocks) == 2
    assert all(path.stat().st_size for path in write(sheet, tmp_path))


def test_rows_with_notes_point_to_them_below_the_table() -> None:
    noted = replace(STUDENT, note="A reconstruction.")
    sheet = drawn(table(replace(TEACHER, note="A slip."), noted, GIVEN))
    labels = [index[0] for index in sheet.blocks[0].frame.index]
    assert labels[0] == "Teacher [a]"
    assert labels[3] == "Student [b]"
    assert {"[a] A slip.", "[b] A reconstruction."} <= set(sheet.notes)
    assert any(note.startswith("Reported: copied") for note in sheet.notes)


def test_a_row_whose_method_was_given_other_settings_says_so() -> None:
    change = "CapacityDynamic.tap_weight=2"
    sheet = drawn(changes=(change,))
    labels = {index[0] for index in sheet.blocks[0].frame.index}
    assert {"Teacher", "Student [a]"} <= labels
    assert f"[a] Not the published setting: {change}." in sheet.notes


def test_a_table_side_by_side_has_the_same_cells_in_one_line_a_row() -> None:
    lines, beside = drawn(), drawn(replace(TABLE, side_by_side=True))
    for block in (0, 1):
        long, wide = lines.blocks[block].frame, beside.blocks[block].frame
        for index, cells in zip(long.index, long.to_numpy().tolist(), strict=True):
            key, kind = tuple(index)[:-1], str(tuple(index)[-1]).partition(" ")[0]
            found = wide.to_numpy().tolist()[list(wide.index).index(key)]
            mine: dict[Any, str] = dict(zip(wide.columns.tolist(), found, strict=True))
            for column, text in zip(long.columns.tolist(), cells, strict=True):
                assert mine[column[1], "paper" if kind == "reported" else kind] == text
    assert len(beside.blocks[0].frame) == 3
    assert "reported" in beside.blocks[0].frame.to_numpy()[2].tolist()
    assert beside.blocks[2].frame.equals(lines.blocks[2].frame)
    assert "| not run" not in markdown(beside)


def test_only_one_group_fits_side_by_side() -> None:
    with pytest.raises(ValueError, match="only one fits side by side"):
        replace(TABLE, side_by_side=True, groups=(GROUP, replace(GROUP, title="Other")))
