"""The Pareto front: what dominance means, on drawn points and on ones worked by hand."""

from hypothesis import given
from hypothesis import strategies as st

from reproduce.statistics.pareto import pareto_front

VALUES = st.integers(min_value=0, max_value=6).map(float)
POINTS = st.lists(st.tuples(VALUES, VALUES), max_size=30)


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@given(POINTS)
def test_the_front_is_exactly_what_no_point_dominates(points: list[tuple[float, float]]) -> None:
    front = set(pareto_front(points))
    for place, point in enumerate(points):
        assert (place in front) == (not any(dominates(other, point) for other in points))


@given(POINTS)
def test_along_the_front_accuracy_costs(points: list[tuple[float, float]]) -> None:
    found = [points[place] for place in pareto_front(points)]
    assert found == sorted(found)
    assert [accuracy for _, accuracy in found] == sorted(accuracy for _, accuracy in found)


@given(POINTS.flatmap(lambda points: st.tuples(st.just(points), st.permutations(points))))
def test_the_order_of_the_points_does_not_matter(
    drawn: tuple[list[tuple[float, float]], list[tuple[float, float]]],
) -> None:
    points, shuffled = drawn
    assert [points[p] for p in pareto_front(points)] == [shuffled[p] for p in pareto_front(shuffled)]


def test_by_hand() -> None:
    assert pareto_front([]) == []
    assert pareto_front([(1, 5), (2, 4), (2, 6), (3, 6), (0.5, 1)]) == [4, 0, 2]
    assert sorted(pareto_front([(1, 5), (1, 5)])) == [0, 1]
