"""The command line: what it prints, what scripts read, and its exit codes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdd import __version__
from cdd.recipe import Recipe
from experiments.registry import Summary
from experiments.schema.table import Table
from reproduce.cli.app import Suite
from reproduce.cli.group import DEBUG
from reproduce.cli.options import RUNS, WHERE
from reproduce.storage.provenance import ROOT
from tests.reproduce.fakes import FakeTraining
from tests.reproduce.said import Said

VERBS = list(Suite.verbs)


@pytest.fixture
def tiny(
    results: Path, tables: dict[str, Table], training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    """A command on the fake table, with the fake training."""
    monkeypatch.setattr("experiments.registry.check_names", lambda names, verbs=(): None)
    monkeypatch.setattr("reproduce.tables.pdf.page", lambda sheet: b"%PDF-left-out")
    monkeypatch.setattr("reproduce.cli.artifacts.run", training)
    return lambda *words: Said(*words, "--results", str(results))


@pytest.mark.parametrize("verb", VERBS)
def test_every_help_has_an_example(verb: str) -> None:
    said = Said(verb, "--help")
    assert said.code == 0
    example = "python -m reproduce table1" if verb == "run" else f"python -m reproduce {verb}"
    assert example in " ".join(said.out.split())


def test_the_first_help_names_every_verb_and_an_example() -> None:
    said = Said("--help")
    assert said.code == 0
    assert "python -m reproduce table1" in said.out
    assert all(f" {verb} " in said.out for verb in VERBS)


def test_every_verb_stands_in_its_panel_of_the_first_help() -> None:
    out = Said("--help").out
    for name, verb in Suite.verbs.items():
        before = out[: out.index(f"│ {name} ")]
        panels = {other.panel for other in Suite.verbs.values()}
        assert max(panels, key=lambda panel: before.rfind(f" {panel} ")) == verb.panel


def test_options_stand_in_panels() -> None:
    out = Said("plan", "--help").out.partition("ARTIFACT")[2]
    out = out[out.index("╭") :]  # Behind the example.
    assert out.index(RUNS) < out.index("--seeds") < out.index(WHERE) < out.index("--data-root")


def test_the_version_is_the_librarys() -> None:
    assert Said("--version").out.split()[-1] == __version__


@pytest.mark.parametrize(("word", "meant"), [("plna", "plan"), ("lits", "list"), ("comapre", "compare")])
def test_a_word_that_is_nearly_a_verb_is_answered_with_the_verb(word: str, meant: str) -> None:
    said = Said(word, "table1")
    assert said.code == 2
    assert f"unknown verb {word!r}: did you mean {meant}" in said.err


def test_help_of_an_artifact_is_help_of_running_it() -> None:
    assert "python -m reproduce table1 --seeds" in Said("table1", "--help").out


def test_list_has_every_artifact_with_its_source() -> None:
    (entry,) = [found for found in Said("list", "--format", "json").json if found["name"] == "table1"]
    assert entry["source"] == "Xie et al., CVPR 2023, Table 1"
    assert entry["title"] in Said("list").out


@pytest.mark.parametrize("word", ["list", "--help", "--version"])
def test_what_answers_quickly_loads_no_heavy_library(word: str) -> None:
    code = (
        "import sys; from reproduce.cli.app import app; "
        f"app(['{word}'], standalone_mode=False); "
        "print(sorted({'torch', 'mlflow', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert out.splitlines()[-1] == "[]"


def test_python_m_reproduce_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reproduce", "tabel1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: unknown artifact 'tabel1': did you mean table1")


@pytest.mark.parametrize("words", [["tabel1"], ["plan", "tabel1"], ["show", "tabel1"], ["run", "tabel1"]])
def test_an_unknown_artifact_is_a_usage_error_with_the_nearest_names(words: list[str]) -> None:
    said = Said(*words)
    assert said.code == 2
    assert "unknown artifact 'tabel1': did you mean table1" in said.err


@pytest.mark.parametrize("seeds", ["", "a", "0,,1", "-1", "0,0", "1.5", "0;1"])
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_wrong_seeds_are_a_usage_error(verb: str, seeds: str) -> None:
    said = Said(verb, "table1", f"--seeds={seeds}")
    assert said.code == 2
    assert f"--seeds {seeds}: expected different whole numbers from 0" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["table1", "--scale", "huge"],
        ["table1", "--nothing"],
        ["plan", "--format", "xml"],
        ["table1", "--set", "schedule.epoch=1"],
        ["table1", "--set", "schedule.epochs=0"],
        ["plan", "table1", "--device", "tpu"],
        ["cost", "resnet1"],
        ["cost", "resnet50", "--channels", "1,2"],
        ["cost", "resnet50", "--channels", "a"],
        ["cost", "resnet50", "--channels", "0" + ",1" * 15],
        ["cost", "resnet50", "--identities", "0"],
        ["cost", "resnet50", "--image-size", "256"],
        ["cost", "resnet50", "--image-size", "0x256"],
        [],
    ],
)
def test_wrong_usage_ends_with_code_2_and_without_a_traceback(words: list[str], tmp_path: Path) -> None:
    said = Said(*words, *(["--results", str(tmp_path)] if words and words[0] in ("table1", "plan") else []))
    assert said.code in ((2,) if words else (0, 2))
    assert "Traceback" not in said.err + said.out
    assert list(tmp_path.iterdir()) == []


def test_results_below_a_file_are_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = Said("table1", "--results", str(tmp_path / "file" / "results"))
    assert said.code == 2
    assert "cannot be written" in said.err
    assert "--results" in said.err


def test_a_command_trains_draws_and_says_where(tiny: Callable[..., Said], results: Path) -> None:
    said = tiny("tiny")
    assert said.code == 0
    assert "Table 9" in said.out
    assert str(results / "mini" / "tables" / "tiny.md") in said.out.replace("\n", "")
    assert "[1/2] Teacher at 16x16, seed 0: run (never run)" in said.err
    assert "[2/2] Student at 16x16, seed 0  epoch 3/3  loss" in said.err


def test_list_tells_how_many_runs_there_are(
    tiny: Callable[..., Said], training: FakeTraining, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.registry.summaries", lambda: [Summary("tiny", "A title", "A source")])

    def state() -> tuple[str, int, int]:
        (entry,) = tiny("list", "--format", "json").json
        return entry["state"], entry["finished"], entry["runs"]

    assert state() == ("never run", 0, 0)
    (reference / "mini" / "tables").mkdir(parents=True)
    (reference / "mini" / "tables" / "tiny.md").write_text("")
    assert state() == ("reference", 0, 0)

    def fail(recipe: Recipe, number: int) -> None:
        if recipe.teacher:
            raise RuntimeError("the loss is total nan")

    training.before_epoch = fail
    tiny("tiny")
    assert state() == ("partly", 1, 2)
    assert "1 of 2 runs" in tiny("list").out
    training.before_epoch = lambda recipe, number: None
    tiny("tiny")
    assert state() == ("complete", 2, 2)


def test_a_table_ends_with_its_conclusion_in_one_line(tiny: Callable[..., Said]) -> None:
    assert tiny("tiny").out.splitlines()[-1] == "2 of 2 runs of yours have numbers."


def test_options_may_come_before_the_artifact(tiny: Callable[..., Said], training: FakeTraining) -> None:
    assert tiny("--seeds", "3", "tiny").code == 0
    assert len(training.begun) == 2


def test_a_failed_training_ends_with_code_1(tiny: Callable[..., Said], training: FakeTraining) -> None:
    def fail(recipe: Recipe, number: int) -> None:
        raise RuntimeError("the loss is total nan")

    training.before_epoch = fail
    said = tiny("tiny")
    assert said.code == 1
    assert "failed: the loss is total nan" in said.out
    assert "not run" in said.out or "failed" in said.out


def test_an_interruption_ends_with_code_130_and_what_to_do(
    tiny: Callable[..., Said], training: FakeTraining
) -> None:
    def interrupt(recipe: Recipe, number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    training.before_epoch = interrupt
    said = tiny("tiny")
    assert said.code == 130
    assert "give the same command" in said.err
    training.before_epoch = lambda recipe, number: None
    assert tiny("tiny").code == 0
    assert len(training.epochs) == 6


def test_plan_as_json(tiny: Callable[..., Said]) -> None:
    found: dict[str, Any] = tiny("plan", "tiny", "--format", "json").json
    assert [entry["state"] for entry in found["runs"]] == ["run", "run"]
    assert found["to_do"] == found["runs_of_unknown_length"] == 2
    tiny("tiny")
    assert tiny("plan", "tiny", "--format", "json").json["to_do"] == 0


def test_plan_as_text_sums_up(tiny: Callable[..., Said]) -> None:
    assert "2 of 2 runs to do, 2 of unknown length" in tiny("plan", "tiny").out
    tiny("tiny")
    assert "Nothing to train: every run is finished in the store." in tiny("plan", "tiny").out
    assert "2 of 2 runs to do, about 0:12" in tiny("plan", "tiny", "--seeds", "1").out


def test_plan_without_names_plans_everything_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = Said("plan", "--format", "json").json
    assert len(found["runs"]) >= 5
    assert list(tmp_path.iterdir()) == []


def test_show_as_json_has_every_cell(tiny: Callable[..., Said]) -> None:
    tiny("tiny", "--seeds", "0,1")
    (found,) = tiny("show", "tiny", "--format", "json").json
    cells = {(cell["row"], cell["column"]): cell for cell in found["cells"]}
    assert cells["Teacher", "MP"]["mean"] == 4.0
    assert cells["Teacher", "MP"]["seeds"] == 2
    assert all(Path(path).exists() for path in found["files"])


def test_show_of_nothing_says_not_run_with_code_0(tiny: Callable[..., Said], training: FakeTraining) -> None:
    said = tiny("show", "tiny")
    assert said.code == 0
    assert "not run" in said.out
    assert training.begun == []


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, " * 100)
    plain, debug = (Said(*words, "--results", str(tmp_path)) for words in (["table1"], [DEBUG, "table1"]))
    assert plain.code == debug.code == 1
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert plain.err.splitlines()[-1] == debug.err.splitlines()[-1]


def test_students_together_are_asked_for_by_number(tiny: Callable[..., Said]) -> None:
    assert tiny("tiny", "--share-teacher", "2", "--device", "cpu").code == 0
    said = tiny("tiny", "--together", "0")
    assert said.code == 2
    assert "--share-teacher" in said.err
