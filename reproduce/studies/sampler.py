"""Sampler whose proposals follow from the study's seed, the trial's number and earlier results.

A study that was interrupted, however often, tries what an uninterrupted one tries.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from reproduce.studies.search_space import SearchDimension
from reproduce.studies.trials import alone


class Proposals(BaseSampler):
    """Optuna's TPE, seeded anew for every setting of every trial, that sees the study's own trials alone."""

    def __init__(self, study: Study, knobs: Sequence[SearchDimension], seed: int):
        self._study, self._knobs, self._seed = study, knobs, seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: each setting is proposed by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The proposal for one setting; `study` may be a part of the study, which a pruner chose."""
        numbers = [self._seed, trial.number, zlib.crc32(param_name.encode())]
        (seed,) = np.random.SeedSequence(numbers).generate_state(1)
        before = alone(self._study, self._knobs, trial.number)
        return TPESampler(seed=int(seed)).sample_independent(before, trial, param_name, param_distribution)
