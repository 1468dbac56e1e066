"""What people see where the output is no terminal: plain lines, once each."""

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from cdd.result import Epoch
from cdd.training.observer import Progress
from reproduce.cli.printing import _grid
from reproduce.cli.progress import Display
from reproduce.planning.duration import Estimate
from reproduce.planning.plan import PlannedRun
from reproduce.statistics.verdicts import CONTRADICTED
from reproduce.tables.rendered_table import Block
from tests.reproduce.fakes import a_teacher

ITEM = PlannedRun(a_teacher("mini", 0), ("Teacher", "Same"), "run", "never run", Estimate(None, ""))


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What was printed since the last look; nothing of it to standard output."""

    def look() -> list[str]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err.splitlines()

    return look


def test_a_run_is_a_plain_line_per_event(lines: Callable[[], list[str]]) -> None:
    with Display() as display:
        display.run_started(ITEM, 1, 2)
        display.stepped(Progress(epoch=1, epochs=3, step=1, steps=30, loss=0.5))
        display.epoch_finished(Epoch(number=1, metrics={"loss/total": 0.25}), 3)
        metrics = {"loss/total": 0.125, "camera_rule/mAP": 0.4567, "channels/kept": 12.0}
        display.epoch_finished(Epoch(number=2, metrics=metrics), 3)
        display.run_ended(ITEM, "finished")
    assert lines() == [
        "[1/2] Teacher = Same at 16x16, seed 0: run (never run)",
        "[1/2] Teacher = Same at 16x16, seed 0  epoch 1/3  loss 0.250",
        "[1/2] Teacher = Same at 16x16, seed 0  epoch 2/3  loss 0.125  mAP 45.7 %  channels 12",
        "[1/2] Teacher = Same at 16x16, seed 0: finished",
    ]


def test_the_time_left_comes_from_the_steps_that_were_made(
    lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display = Display()
    display.run_started(ITEM, 1, 1)
    for step, moment in ((11, 0.0), (21, 20.0)):  # 2 seconds a step, the first ten were made before
        now[0] = moment
        display.stepped(Progress(epoch=1, epochs=2, step=step, steps=100, loss=0.5))
    display.epoch_finished(Epoch(number=1, metrics={}), 2)
    assert lines()[-1] == "[1/1] Teacher = Same at 16x16, seed 0  epoch 1/2  2:38 left"
    display.epoch_finished(Epoch(number=2, metrics={}), 2)
    assert lines()[-1] == "[1/1] Teacher = Same at 16x16, seed 0  epoch 2/2"


def test_hours_are_written_out(lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display = Display()
    display.run_started(ITEM, 1, 1)
    for step, moment in ((0, 0.0), (1, 3661.0)):
        now[0] = moment
        display.stepped(Progress(epoch=1, epochs=2, step=step, steps=2, loss=0.5))
    display.epoch_finished(Epoch(number=1, metrics={}), 2)
    assert "1:01:01 left" in lines()[-1]


def test_long_lines_are_not_broken(lines: Callable[[], list[str]]) -> None:
    Display().warned("[bold]" + "word " * 100)
    (line,) = lines()
    assert line.startswith("Warning: [bold]word word")


def test_a_terminal_gets_a_bar_instead_of_lines_per_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Display() as display:
        display.run_started(ITEM, 1, 1)
        display.stepped(Progress(epoch=1, epochs=2, step=1, steps=4, loss=0.5))
        display.epoch_finished(Epoch(number=1, metrics={"loss/total": 0.25}), 2)
        display.stepped(Progress(epoch=2, epochs=2, step=3, steps=4, loss=0.5))
        display.bar.refresh()
        display.run_ended(ITEM, "finished")
    printed = capsys.readouterr().err
    assert "epoch 2/2  loss 0.500" in printed
    assert "epoch 1/2  loss 0.250" not in printed


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Callable[[Display, int], str]:
    """What stands beside a bar on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    return lambda display, task: str(display.bar.tasks[task].fields["state"])


def test_a_bar_says_when_accuracy_is_measured(beside: Callable[[Display, int], str]) -> None:
    recipe = ITEM.recipe.model_copy(update={"evaluate_every": 2})
    display = Display()
    display.run_started(replace(ITEM, recipe=recipe), 1, 1)
    found = []
    for step in range(1, 7):  # two in each epoch
        display.stepped(Progress(epoch=(step + 1) // 2, epochs=3, step=step, steps=6, loss=0.5))
        found.append("evaluating" in beside(display, 0))
    assert found == [False, False, False, True, False, True]


def test_a_bar_of_all_runs_says_how_many_are_done_and_when_they_end(
    beside: Callable[[Display, int], str],
) -> None:
    seconds = (None, 60.0, 120.0)
    items = [
        replace(ITEM, recipe=a_teacher("mini", seed), estimate=Estimate(seconds[seed], ""))
        for seed in range(3)
    ]
    display = Display()
    display.planned(items)
    assert beside(display, 0).startswith("0 of 3 runs  4:30 left, until ")  # the unknown one as the mean
    display.run_started(items[0], 1, 3)
    display.run_ended(items[0], "finished")
    assert beside(display, 0).startswith("1 of 3 runs  3:00 left, until ")


def test_bars_fit_80_columns(beside: Callable[[Display, int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display = Display()
    display.planned([ITEM, replace(ITEM, recipe=a_teacher("mini", 1), estimate=Estimate(360_000.0, ""))])
    display.run_started(ITEM, 118, 120)
    display.epoch_finished(Epoch(number=1, metrics={"camera_rule/mAP": 1.0}), 120)
    for step in (20_000, 20_001):
        now[0] += 3
        display.stepped(Progress(epoch=100, epochs=120, step=step, steps=24_000, loss=12.345))
    assert "left" in beside(display, 1)
    assert display.console.measure(display.bar.get_renderable()).maximum <= 80


def test_verdicts_are_coloured_on_a_terminal_alone() -> None:
    block = Block.of("Verdicts", {("A claim",): [CONTRADICTED]}, ("Claim",), [("Source", "verdict")])
    texts = []
    for console in (Console(force_terminal=True, color_system="standard"), Console(force_terminal=False)):
        with console.capture() as captured:
            console.print(_grid(block, "Source"))
        texts.append(captured.get())
    assert f"\x1b[31m{CONTRADICTED}" in texts[0]
    assert "\x1b[31m" not in texts[1]


def test_a_long_epoch_is_not_silent(lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display = Display()
    display.run_started(ITEM, 1, 1)
    for step in range(1, 8):  # half a minute a step
        now[0] += 30
        display.stepped(Progress(epoch=1, epochs=9, step=step, steps=20, loss=0.5))
    assert lines()[1:] == [
        "[1/1] Teacher = Same at 16x16, seed 0  epoch 1/9  loss 0.500  step 3/20  8:30 left",
        "[1/1] Teacher = Same at 16x16, seed 0  epoch 1/9  loss 0.500  step 6/20  7:00 left",
    ]


def test_displays_of_runs_side_by_side_keep_their_lines_apart(lines: Callable[[], list[str]]) -> None:
    with Display() as display:
        runs = [display.another(), display.another()]
        for number, run in enumerate(runs, start=1):
            run.run_started(ITEM, number, 2)
        for run in runs:
            run.epoch_finished(Epoch(number=1, metrics={}), 3)
        runs[0].run_ended(ITEM, "finished")
    assert [line.partition(" ")[0] for line in lines()] == ["[1/2]", "[2/2]", "[1/2]", "[2/2]", "[1/2]"]
