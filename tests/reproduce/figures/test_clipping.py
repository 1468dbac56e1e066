"""Which values are left out of an axis, and how that is said."""

import pytest

from reproduce.figures.clipping import clipped_range, is_clipped
from reproduce.figures.forest_panels import Line, clipped_lines, draw_panels
from reproduce.statistics.intervals import seed_interval

EVEN = [float(value) for value in range(20)]


@pytest.mark.parametrize(
    ("values", "clipped"),
    [
        (EVEN, []),
        ([*EVEN, 100.0], [100.0]),
        ([*EVEN, -100.0], [-100.0]),
        ([*EVEN, 30.0], []),  # far out, but the others still have most of the axis
        ([*EVEN, 20.5, 100.0], [100.0]),
        ([*EVEN, 100.0, 101.0, 102.0], []),  # no single values
        ([0.0, 1.0, 100.0], []),
        ([], []),
    ],
)
def test_only_single_values_that_squeeze_all_others_are_clipped(
    values: list[float], clipped: list[float]
) -> None:
    ends = clipped_range(values)
    assert [value for value in values if is_clipped(value, ends)] == clipped


@pytest.mark.parametrize("factor", [-3.0, 0.01])
def test_what_is_clipped_depends_on_no_unit(factor: float) -> None:
    values = [factor * value for value in [*EVEN, 100.0]]
    ends = clipped_range(values)
    assert [is_clipped(value, ends) for value in values] == [False] * 20 + [True]


def lines(last: float) -> list[Line]:
    return [
        Line(f"A{place}", "choice", seed_interval({0: value}))
        for place, value in enumerate([*range(6), last])
    ]


def test_a_clipped_choice_is_named_at_the_edge_with_its_value() -> None:
    (outside,) = clipped_lines(lines(292.0))
    assert outside.number == "A6"
    svg = draw_panels(["mAP"], [lines(292.0)], [None], "band")[".svg"]
    assert b"<!-- A6: +292, clipped -->" in svg
    assert b"clipped" not in draw_panels(["mAP"], [lines(6.0)], [None], "band")[".svg"]
