"""What is known of the spread over numbers of threads."""

from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.claims.thread_spread import remember, thread_spread
from reproduce.storage.run_record import RunRecord


def made(threads: int, precision: float, run_id: str = "0123456789ab") -> RunRecord:
    return RunRecord(
        run_id=run_id,
        recipe={},
        metrics={"a/mAP": precision, "parameters": 1e6},
        history={},
        channels=None,
        environment={"device": "cpu", "threads": threads},
    )


def test_nothing_is_known_without_runs_of_several_counts(tmp_path: Path) -> None:
    assert thread_spread(tmp_path) is None
    remember(tmp_path, made(1, 0.36), replace(made(2, 0.37), environment={"device": "cuda"}))
    assert thread_spread(tmp_path) is None


def test_the_deviation_is_pooled_over_runs_and_a_count_counts_once(tmp_path: Path) -> None:
    remember(tmp_path, made(1, 0.36), made(2, 0.38))
    before = (tmp_path / "threads.csv").read_bytes()
    remember(tmp_path, made(2, 0.38), made(1, 0.36))
    assert (tmp_path / "threads.csv").read_bytes() == before
    remember(tmp_path, made(1, 0.5, "abcdefabcdef"), made(4, 0.5, "abcdefabcdef"))
    found = thread_spread(tmp_path)
    assert found is not None
    spread, runs = found
    assert (runs, spread.freedom) == (2, 2)
    assert spread.deviation == pytest.approx(1.0)  # squares (1 + 1 + 0 + 0) over two degrees of freedom
