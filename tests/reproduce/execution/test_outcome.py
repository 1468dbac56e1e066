"""The numbers under which runs are announced."""

from reproduce.execution.outcome import RunCounter


def test_runs_are_numbered_as_they_begin_and_keep_their_numbers():
    counter = RunCounter(3)
    assert [counter.place(name) for name in ("a", "b", "a", "c")] == [(1, 3), (2, 3), (1, 3), (3, 3)]


def test_more_runs_than_were_expected_are_counted():
    counter = RunCounter()
    assert [counter.place(name) for name in ("a", "b")] == [(1, 1), (2, 2)]
