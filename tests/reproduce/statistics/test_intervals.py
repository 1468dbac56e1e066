"""Intervals cover as often as they say, mirror when methods are swapped, and know what they do not know."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from reproduce.statistics.intervals import (
    CONFIDENCE,
    Interval,
    SeedStd,
    paired_interval,
    pooled,
    seed_interval,
    seeds_needed,
)

IDENTITIES = np.repeat(np.arange(40), 6)


def simulated(
    seeds: int, rng: np.random.Generator, *, mean: float = 1.0, over_seeds: float = 0.3
) -> dict[int, NDArray[np.float64]]:
    """Differences with parts common to an identity, to a seed, and of each query in each seed."""
    shared = mean + rng.normal(0, 2, 40)[IDENTITIES]
    return {
        seed: shared + rng.normal(0, over_seeds) + rng.normal(0, 1, len(IDENTITIES)) for seed in range(seeds)
    }


def coverage(
    seeds: int, over_seeds: float, pooled_from_other_runs: SeedStd | None = None, repeats: int = 300
) -> float:
    rng = np.random.default_rng(7)
    found = [
        paired_interval(
            simulated(seeds, rng, over_seeds=over_seeds),
            IDENTITIES,
            pooled_from_other_runs=pooled_from_other_runs,
        )
        for _ in range(repeats)
    ]
    return float(np.mean([interval.low <= 1.0 <= interval.high for interval in found]))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "coverage" in request.node.name:
        monkeypatch.setattr("reproduce.statistics.intervals.DRAWS", 499)


@pytest.mark.parametrize(("seeds", "over_seeds"), [(1, 0.0), (3, 0.3), (3, 1.0), (5, 1.0)])
def test_coverage_is_what_the_interval_says(seeds: int, over_seeds: float) -> None:
    # 300 repeats have a standard error of 1.7 %; 40 identities make the bootstrap 1 to 2 % too narrow,
    # and noise of single queries is counted twice.
    assert CONFIDENCE - 0.055 <= coverage(seeds, over_seeds) <= 0.985


def test_coverage_of_one_seed_with_a_borrowed_spread() -> None:
    assert CONFIDENCE - 0.055 <= coverage(1, 1.0, SeedStd(1.0, 30)) <= 0.97


def test_coverage_fails_where_identities_are_taken_for_independent_queries() -> None:
    rng = np.random.default_rng(7)
    alone = np.arange(len(IDENTITIES))
    found = [paired_interval(simulated(1, rng, over_seeds=0.0), alone) for _ in range(200)]
    assert np.mean([interval.low <= 1.0 <= interval.high for interval in found]) < 0.75


@pytest.mark.parametrize("seeds", [1, 3])
def test_swapped_methods_have_the_mirrored_interval(seeds: int) -> None:
    differences = simulated(seeds, np.random.default_rng(3))
    swapped = {seed: -values for seed, values in differences.items()}
    found = paired_interval(differences, IDENTITIES, pooled_from_other_runs=SeedStd(0.5, 4))
    mirrored = paired_interval(swapped, IDENTITIES, pooled_from_other_runs=SeedStd(0.5, 4))
    assert (mirrored.mean, mirrored.low, mirrored.high) == pytest.approx(
        (-found.mean, -found.high, -found.low), abs=1e-12
    )


def test_the_unit_moves_with_the_interval() -> None:
    differences = simulated(3, np.random.default_rng(3))
    found = paired_interval(differences, IDENTITIES)
    moved = paired_interval({seed: 100 * values + 7 for seed, values in differences.items()}, IDENTITIES)
    assert (moved.low, moved.high) == pytest.approx((100 * found.low + 7, 100 * found.high + 7))


def test_names_and_order_of_identities_do_not_matter() -> None:
    differences = simulated(2, np.random.default_rng(3))
    order = np.random.default_rng(4).permutation(len(IDENTITIES))
    moved = paired_interval({seed: values[order] for seed, values in differences.items()}, IDENTITIES[order])
    named = paired_interval(differences, 1000 + 3 * IDENTITIES)
    found = paired_interval(differences, IDENTITIES)
    assert (moved.low, moved.high) == pytest.approx((found.low, found.high))
    assert (named.low, named.high) == (found.low, found.high)


@pytest.mark.parametrize("seeds", [1, 3])
def test_identical_methods_have_an_interval_without_width(seeds: int) -> None:
    found = paired_interval({seed: np.zeros(240) for seed in range(seeds)}, IDENTITIES)
    assert (found.mean, found.low, found.high, found.queries) == (0, 0, 0, 0)


def test_one_query_per_identity_gives_the_interval_of_a_mean() -> None:
    values = np.random.default_rng(5).normal(2, 3, 2000)
    found = paired_interval({0: values}, np.arange(2000))
    wanted = stats.norm.interval(CONFIDENCE, values.mean(), values.std(ddof=1) / np.sqrt(2000))
    assert (found.low, found.high) == pytest.approx(wanted, abs=0.01)


def test_copies_of_every_query_tell_nothing_new() -> None:
    values = np.random.default_rng(5).normal(2, 3, 100)
    once = paired_interval({0: values}, np.arange(100))
    thrice = paired_interval({0: np.repeat(values, 3)}, np.repeat(np.arange(100), 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_without_noise_of_queries_it_is_students_interval() -> None:
    values = {0: 1.0, 1: 1.4, 2: 0.9}
    found = paired_interval({seed: np.full(240, value) for seed, value in values.items()}, IDENTITIES)
    low, high = stats.t.interval(
        CONFIDENCE, 2, np.mean(list(values.values())), stats.sem(list(values.values()))
    )
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.005)
    alone = seed_interval(values)
    assert (alone.low, alone.high) == pytest.approx((low, high), rel=1e-9)


def test_one_seed_is_certain_of_its_queries_only() -> None:
    differences = simulated(1, np.random.default_rng(3))
    alone, widened = (
        paired_interval(differences, IDENTITIES),
        paired_interval(differences, IDENTITIES, pooled_from_other_runs=SeedStd(2.0, 8)),
    )
    assert (alone.spread, alone.pooled_from_other_runs) == (None, False)
    assert widened.pooled_from_other_runs and widened.queries == alone.queries
    assert widened.high - widened.low > 2 * (alone.high - alone.low)


def test_own_seeds_come_before_a_borrowed_spread() -> None:
    differences = simulated(3, np.random.default_rng(3))
    found = paired_interval(differences, IDENTITIES, pooled_from_other_runs=SeedStd(100.0, 8))
    assert not found.pooled_from_other_runs and found == paired_interval(differences, IDENTITIES)


def test_one_mean_without_a_spread_has_no_width() -> None:
    found = seed_interval({4: 1.5})
    assert (found.low, found.high, found.spread, found.seeds) == (1.5, 1.5, None, 1)


def test_a_pooled_deviation_ignores_the_means() -> None:
    found = pooled([[1, 3], [101, 103], [7]])
    assert found is not None and found.freedom == 2
    assert found.deviation == pytest.approx(np.sqrt(2))
    assert pooled([[1], [2], []]) is None


def interval(deviation: float | None, queries: float | None) -> Interval:
    spread = None if deviation is None else SeedStd(deviation, 2)
    return Interval(
        mean=0,
        low=0,
        high=0,
        queries=queries,
        spread=spread,
        pooled_from_other_runs=False,
        seeds=3,
        identities=9,
    )


def test_seeds_needed_are_the_fewest_that_suffice() -> None:
    needed = seeds_needed(interval(1.0, None), 0.5)
    assert needed is not None

    def half(seeds: int) -> float:
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1) / np.sqrt(seeds))

    assert half(needed) <= 0.5 < half(needed - 1)
    assert seeds_needed(interval(1.0, 0.3), 0.5) > needed  # type: ignore[operator]


@pytest.mark.parametrize(("deviation", "queries"), [(None, 0.1), (1.0, 0.6), (100.0, 0.1)])
def test_no_number_of_seeds_is_named_where_none_is_known_to_suffice(
    deviation: float | None, queries: float
) -> None:
    assert seeds_needed(interval(deviation, queries), 0.5) is None


@pytest.mark.parametrize(
    ("differences", "identities", "text"),
    [
        ({}, IDENTITIES, "no seed"),
        ({0: np.zeros(5), 1: np.zeros(4)}, np.arange(5), "4 and 5 entries"),
        ({0: np.zeros(5)}, np.arange(6), "5 and 6 entries"),
        ({0: np.array([0.0, np.nan])}, np.arange(2), "not finite"),
        ({0: np.zeros(5)}, np.zeros(5, dtype=int), "one identity"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    differences: dict[int, NDArray[np.float64]], identities: NDArray[np.int64], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        paired_interval(differences, identities)


def test_no_mean_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="no seed"):
        seed_interval({})
