"""Benchmarks at a small size: baselines come to the same result, ratios are what they say."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks.evaluation import UNTRAINED, by_sorting, evaluation, retrieval
from benchmarks.line import Line, best_of
from benchmarks.loader import against_the_step, augmented, augmenting, one_by_one, reading
from benchmarks.page import cells, markdown
from benchmarks.resetting import resetting
from benchmarks.shared_teacher import shared_teacher
from benchmarks.start_up import start_up
from cdd.evaluation import evaluate_retrieval
from cdd.recipe import Augmentation


def test_ratios_are_of_the_times() -> None:
    line = Line(name="x", ours=2.0, baseline=6.0, limit=0.5)
    assert (line.speedup, line.times_limit) == (3.0, 4.0)
    assert Line(name="x", ours=2.0).speedup is None
    assert line.as_plain()["times_limit"] == 4.0


def test_the_fastest_call_counts() -> None:
    calls: list[int] = []
    assert 0 <= best_of(3, lambda: calls.append(1)) < 1
    assert len(calls) == 3


def test_the_sorting_baseline_is_the_same_accuracy() -> None:
    data = retrieval(400, UNTRAINED)
    ours = evaluate_retrieval(data.query, data.gallery, *data.identities, *data.cameras)
    assert by_sorting(data, len(data.query)) == pytest.approx(ours.mean_average_precision, abs=1e-12)
    assert 0.1 < ours.mean_average_precision < 0.99


def test_every_line_has_its_ratios() -> None:
    found = evaluation(400, UNTRAINED, repeats=1)
    assert found.speedup is not None
    assert found.times_limit is not None
    assert found.peak_bytes is not None
    masks = resetting(batch=8, gallery=64)
    assert masks.speedup is not None
    assert masks.speedup > 0
    assert start_up("--help").times_limit is not None


def test_the_loader_stands_against_decoding_a_copy_and_the_step() -> None:
    for line in (reading(batch=8, size=32), augmenting(batch=8, size=32)):
        assert line.speedup is not None
        assert line.times_limit is not None
    assert against_the_step().times_limit is not None


def test_students_that_share_a_teacher_stand_against_students_alone_and_their_own_steps() -> None:
    line = shared_teacher(batches=1)
    assert line.speedup is not None
    assert line.times_limit is not None


def test_both_ways_to_augment_do_the_same_where_nothing_is_drawn() -> None:
    pixels = torch.randint(0, 256, (4, 3, 12, 8), dtype=torch.uint8)
    certain = Augmentation(flip=1, padding=0, erasing=0)
    torch.testing.assert_close(one_by_one(pixels, certain), augmented(pixels, certain))


def test_a_baseline_with_another_result_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.evaluation.by_sorting", lambda data, queries: 0.5)
    with pytest.raises(ValueError, match=r"the baseline comes to mAP 0.5"):
        evaluation(400, UNTRAINED, repeats=1)
    monkeypatch.setattr("benchmarks.resetting.step_by_step", lambda *given: {-1})
    with pytest.raises(ValueError, match="other channels"):
        resetting(batch=8, gallery=64)
    monkeypatch.setattr("benchmarks.loader.torch.equal", lambda *images: False)
    with pytest.raises(ValueError, match="not the decoded ones"):
        reading(batch=8, size=32)


def test_the_command_writes_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(name="a line", ours=0.25, baseline=1.0, baseline_name="slowly", peak_bytes=2**21)
    monkeypatch.setattr(command, "SMALL", (lambda: line,))
    monkeypatch.setattr(command, "ON_A_DEVICE", ())
    monkeypatch.setattr("sys.argv", ["benchmarks", "--small", "--out", str(tmp_path / "lines.json")])
    command.main()
    stored = json.loads((tmp_path / "lines.json").read_text())
    assert stored["lines"] == [line.as_plain()]
    assert stored["threads"] > 0
    assert stored["processor"]
    assert "a line" in capsys.readouterr().out
    written = (tmp_path / "lines.md").read_text()
    assert "| a line | 0.25    | 4.0, slowly      | -               | 2            |" in written
    assert f"torch {torch.__version__}" in written


def test_what_a_machine_cannot_measure_is_said() -> None:
    without = Line(name="on a GPU", ours=None, details={"% of it": 12.345}).as_plain()
    assert cells(without) == ("on a GPU", "not measured", "-", "-", "-")
    small = Line(name="x", ours=1.0, baseline=0.5, baseline_name="b", limit=0.005, limit_name="l").as_plain()
    assert cells(small)[2:4] == ("0.50, b", "200, l")
    assert (
        markdown([("", "x"), ("% of it", "12.3")])
        == "|         | x    |\n| ------- | ---- |\n| % of it | 12.3 |"
    )
