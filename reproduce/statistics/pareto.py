"""The points that no other point beats."""

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points that none dominates, from the cheapest to the most accurate.

    A point dominates another if it costs no more, is at least as accurate, and is better in one of the two;
    of equal points all stay.

    Args:
        points: cost, of which less is better, and accuracy, of which more is better.
    """
    found: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1])):
        cost, accuracy = points[place]
        best = points[found[-1]] if found else None
        if best is None or accuracy > best[1] or (cost, accuracy) == best:
            found.append(place)
    return found
