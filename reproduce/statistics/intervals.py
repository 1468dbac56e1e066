"""Intervals of a difference of two methods: over queries, clustered by identity, and over seeds.

Both methods answer the same queries, so their differences are compared query by query and seed by seed.
Queries of one identity resemble each other: an identity's queries are drawn together, or not at all.
Seeds are few, and two or three of them drawn with replacement are too alike: their spread is drawn from
Student's t instead, and added to what the draws of identities give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import hypot, sqrt
from statistics import fmean, stdev
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.special import stdtrit

PERCENT = 100.0
CONFIDENCE = 0.90
DRAWS = 4999
MOST_SEEDS = 1000


@dataclass(frozen=True)
class SeedStd:
    """Standard deviation over seeds, and the degrees of freedom that it was estimated with."""

    deviation: float
    freedom: int


@dataclass(frozen=True)
class Difference:
    """One seed's difference of two runs, or the figure of one.

    Attributes:
        by_query: the same for single queries, whose mean it is; None where they are not known.
        identities: what these queries show.
    """

    value: float
    by_query: Float[np.ndarray, " queries"] | None = None
    identities: Int[np.ndarray, " queries"] | None = None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean difference with the interval that holds the true one with `CONFIDENCE`.

    Attributes:
        queries: half width that queries alone give; None where no query's value is known.
        spread: over seeds, the comparison's own or a borrowed one; None where it is unknown, and then the
            interval is that of other queries for the same trained networks.
        borrowed: whether the spread is that of other runs.
        seeds: that were compared.
        identities: clusters of queries; 0 where no query's value is known.
    """

    mean: float
    low: float
    high: float
    queries: float | None
    spread: SeedStd | None
    pooled_from_other_runs: bool
    seeds: int
    identities: int

    @property
    def has_width(self) -> bool:
        """Whether anything is known of what another seed or other queries would change."""
        return self.queries is not None or self.spread is not None

    @property
    def mirrored(self) -> Self:
        """Of the second minus the first."""
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)


def interval_of(
    differences: Mapping[int, Difference],
    *,
    pooled_from_other_runs: SeedStd | None = None,
    level: float = 0.0,
) -> Interval:
    """The interval of what lies above a level: over queries and seeds where all queries are known.

    Args:
        differences: by seed.
        borrowed: spread of such a difference over seeds in other runs, used where there is one seed.
        level: is taken away from each.

    Raises:
        ValueError: for no seed.
    """
    values = [differences[seed] for seed in sorted(differences)]
    queries = {seed: each.by_query - level for seed, each in differences.items() if each.by_query is not None}
    identities = next((each.identities for each in values if each.identities is not None), None)
    if identities is not None and len(queries) == len(values) and len(np.unique(identities)) > 1:
        return paired_interval(queries, identities, pooled_from_other_runs=pooled_from_other_runs)
    return seed_interval(
        {seed: each.value - level for seed, each in differences.items()},
        pooled_from_other_runs=pooled_from_other_runs,
    )


def paired_interval(
    differences: Mapping[int, Float[np.ndarray, " queries"]],
    identities: Int[np.ndarray, " queries"],
    *,
    pooled_from_other_runs: SeedStd | None = None,
) -> Interval:
    """The mean difference over queries and seeds, each query of a seed of equal weight, and its interval.

    Args:
        differences: by seed, the first method minus the second for every query; in any unit.
        identities: what each query shows.
        borrowed: spread of such a difference over seeds in other runs, used where there is one seed.

    Raises:
        ValueError: for no seed, lengths that differ, values that are not finite, or fewer than two
            identities, of which one tells nothing about others.

    Source: the ratio estimator of a mean over clusters, Cochran, "Sampling Techniques", Section 9A.1;
        its bootstrap, Davison and Hinkley, "Bootstrap Methods and their Application", Section 3.8.
    """
    values = [differences[seed] for seed in sorted(differences)]
    _check(values, identities)
    means = [float(found.mean()) for found in values]
    drawn = _means_of_drawn_identities(np.mean(values, axis=0), identities)
    low, high = _ends(drawn)
    spread = SeedStd(stdev(means), len(means) - 1) if len(means) > 1 else pooled_from_other_runs
    queries = (high - low) / 2
    if spread:
        low, high = _ends(_with_seeds(drawn, spread, len(means)))
    return Interval(
        mean=fmean(means),
        low=low,
        high=high,
        queries=queries,
        spread=spread,
        pooled_from_other_runs=spread is not None and len(means) == 1,
        seeds=len(means),
        identities=len(np.unique(identities)),
    )


def seed_interval(
    differences: Mapping[int, float], *, pooled_from_other_runs: SeedStd | None = None
) -> Interval:
    """The same where only means are known: Student's interval over paired seeds.

    Without several seeds and without a borrowed spread it has no width, and `spread` is None.

    Raises:
        ValueError: for no seed.
    """
    if not differences:
        raise ValueError("no seed was measured, so there is nothing to compare: give one difference or more")
    values = [differences[seed] for seed in sorted(differences)]
    spread = SeedStd(stdev(values), len(values) - 1) if len(values) > 1 else pooled_from_other_runs
    half = _half_width(spread, len(values)) if spread else 0.0
    mean = fmean(values)
    return Interval(
        mean=mean,
        low=mean - half,
        high=mean + half,
        queries=None,
        spread=spread,
        pooled_from_other_runs=spread is not None and len(values) == 1,
        seeds=len(values),
        identities=0,
    )


def pooled(groups: Sequence[Sequence[float]]) -> SeedStd | None:
    """The common standard deviation of groups that may have different means; None without any pair."""
    freedom = sum(len(group) - 1 for group in groups if group)
    if not freedom:
        return None
    squares = sum((value - fmean(group)) ** 2 for group in groups if group for value in group)
    return SeedStd(sqrt(squares / freedom), freedom)


def seeds_needed(interval: Interval, half_width: float) -> int | None:
    """The number of seeds, two or more, with which the half width falls to this at the observed spread.

    None where the spread is unknown, where queries alone are less certain, and above `MOST_SEEDS`.
    """
    if interval.spread is None:
        return None
    for seeds in range(2, MOST_SEEDS + 1):
        over_seeds = _half_width(SeedStd(interval.spread.deviation, seeds - 1), seeds)
        if hypot(interval.queries or 0.0, over_seeds) <= half_width:
            return seeds
    return None


def _check(values: list[NDArray[np.float64]], identities: NDArray[np.int64]) -> None:
    if not values:
        raise ValueError("no seed was measured, so there is nothing to compare: give one difference or more")
    lengths = sorted({len(found) for found in values} | {len(identities)})
    if len(lengths) > 1:
        raise ValueError(
            f"differences and identities have {' and '.join(map(str, lengths))} entries: methods can only be "
            "compared on the same queries"
        )
    if not all(np.isfinite(found).all() for found in values):
        raise ValueError("a difference is not finite: compare only queries that both methods have answered")
    if len(np.unique(identities)) < 2:
        raise ValueError(
            "all queries show one identity, which tells nothing about others: two or more are needed"
        )


def _means_of_drawn_identities(
    values: NDArray[np.float64], identities: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Means over queries when as many identities as there are, are drawn with replacement."""
    _, cluster = np.unique(identities, return_inverse=True)
    of_clusters = np.stack([np.bincount(cluster, weights=values), np.bincount(cluster)])
    # Not a product of matrices: that would first copy the small integers as floats.
    sums, counts = np.einsum("dc,kc->kd", _times_drawn(of_clusters.shape[1], DRAWS), of_clusters)
    means: NDArray[np.float64] = sums / counts
    return means


@lru_cache(maxsize=8)
def _times_drawn(clusters: int, draws: int) -> NDArray[np.uint8]:
    """How often each draw has each cluster; all comparisons have the same draws."""
    chances = np.full(clusters, 1 / clusters)
    return np.random.default_rng(0).multinomial(clusters, chances, size=draws).astype(np.uint8)


def _with_seeds(drawn: NDArray[np.float64], spread: SeedStd, seeds: int) -> NDArray[np.float64]:
    """The draws with the error of a mean over seeds added; both signs, so that swapped methods mirror."""
    levels = (np.arange(len(drawn)) + 0.5) / len(drawn)
    errors = stdtrit(spread.freedom, np.random.default_rng(1).permutation(levels))
    errors *= spread.deviation / sqrt(seeds)
    return np.concatenate([drawn + errors, drawn - errors])


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _half_width(spread: SeedStd, seeds: int) -> float:
    return float(stdtrit(spread.freedom, (1 + CONFIDENCE) / 2)) * spread.deviation / sqrt(seeds)
