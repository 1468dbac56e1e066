"""Search spaces of the studies: settings of one row's method with their ranges, and objectives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from optuna import Trial
from optuna.distributions import FloatDistribution, IntDistribution

from cdd.contract import Method
from reproduce.errors import UsageError

SIGNIFICANT_DIGITS = 3
WEIGHT_SPREAD, PENALTY_SPREAD = 30.0, 4.0
"""A setting is searched from its default divided by this to its default times this, in the logarithm."""
LEAST_RATIO, LARGEST_RATIO = 0.3, 0.9
MOST_NEIGHBOURS = 6


def is_number(value: object) -> bool:
    """Whether a value is a number, where `True` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, kw_only=True)
class SearchDimension:
    """One field of a method and the range in which it is searched; `whole` for whole numbers."""

    path: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def distribution(self) -> FloatDistribution | IntDistribution:
        """The range as Optuna keeps it."""
        if self.whole:
            return IntDistribution(round(self.low), round(self.high))
        return FloatDistribution(self.low, self.high, log=self.log)

    def holds(self, value: object) -> bool:
        """Whether a value, which anybody may have given, is one of the range."""
        if not isinstance(value, int | float) or not is_number(value):
            return False
        return self.low <= value <= self.high and (not self.whole or value == round(value))

    def suggested(self, trial: Trial) -> float:
        """The value of a trial, short enough to be typed again."""
        if self.whole:
            return trial.suggest_int(self.path, round(self.low), round(self.high))
        found = trial.suggest_float(self.path, self.low, self.high, log=self.log)
        return float(f"{found:.{SIGNIFICANT_DIGITS}g}")


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """The knobs of a study.

    Attributes:
        defaults: by path, the row's own values, which are tried first.
        with_cost: two objectives, high accuracy and few multiply-adds, instead of the first alone.
    """

    knobs: tuple[SearchDimension, ...]
    defaults: Mapping[str, float]
    with_cost: bool = False


def weight(method: Method) -> SearchSpace:
    """All weights of a distillation method.

    Raises:
        UsageError: for a method without any.
    """
    if not method.weights:
        raise UsageError(f"{type(method).__name__} has no weight that could be tuned")
    return _space(method, [(path, WEIGHT_SPREAD) for path in method.weights], [])


def alpha(method: Method) -> SearchSpace:
    """The weight of the lasso."""
    return _space(method, [("sparsity", PENALTY_SPREAD)], [])


def ratio(method: Method) -> SearchSpace:
    """RGGR's share of channels in a list."""
    return _space(method, [], [RATIO])


def neighbours(method: Method) -> SearchSpace:
    """RGGR's number of retrieved images."""
    return _space(
        method, [], [SearchDimension(path="resetting.neighbours", low=1, high=MOST_NEIGHBOURS, whole=True)]
    )


def pareto(method: Method) -> SearchSpace:
    """Penalty and ratio together, for accuracy and cost."""
    found = _space(method, [("sparsity", PENALTY_SPREAD)], [RATIO])
    return SearchSpace(knobs=found.knobs, defaults=found.defaults, with_cost=True)


RATIO = SearchDimension(path="resetting.ratio", low=LEAST_RATIO, high=LARGEST_RATIO)
SPACES: Mapping[str, Callable[[Method], SearchSpace]] = {
    "alpha": alpha,
    "p": ratio,
    "k": neighbours,
    "weight": weight,
    "pareto": pareto,
}


def _space(method: Method, spread: list[tuple[str, float]], ranges: list[SearchDimension]) -> SearchSpace:
    """Knobs around the method's own values, and knobs with ranges of their own."""
    try:
        own = {path: attrgetter(path)(method) for path in [*dict(spread), *(knob.path for knob in ranges)]}
    except AttributeError as error:
        raise UsageError(f"the row's method {type(method).__name__} has no such setting: {error}") from error
    around = [
        SearchDimension(path=path, low=own[path] / factor, high=own[path] * factor, log=True)
        for path, factor in spread
    ]
    return SearchSpace(knobs=(*around, *ranges), defaults=own)
