"""Records of a teacher and its student with figures that a test chooses, and claims about them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cdd.recipe import Recipe
from cdd.result import Epoch, Result
from experiments.schema.claim import Claim, Comparison, FinalMetric, Measure, RunRef
from reproduce.evidence.run_lookup import RunLookup
from reproduce.planning.overrides import Overrides
from reproduce.statistics.claim_verdict import ClaimVerdict, PairVerdict
from reproduce.statistics.intervals import seed_interval
from reproduce.statistics.verdicts import REPRODUCED
from reproduce.storage.run_record import write_record
from tests.reproduce.fakes import ACCURACY, PARAMETERS, STUDENT, TEACHER, a_student, a_teacher, table

TINY = table(TEACHER, STUDENT)
OF, THAN = (RunRef("tiny", row, "Shelf") for row in ("Student", "Teacher"))
MAP, COST = FinalMetric(ACCURACY), FinalMetric(PARAMETERS)
IDENTITIES = np.repeat(np.arange(30), 4)
DIGEST = "0123456789abcdef"


def answers(mean: float, deviation: float, seed: int = 0) -> list[float]:
    """Average precisions of 120 queries with exactly this mean, half of them a deviation above it."""
    signs = np.random.default_rng(seed).permutation(np.tile([-1.0, 1.0], len(IDENTITIES) // 2))
    found: list[float] = (mean + deviation * signs).tolist()
    return found


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a run is recorded to have measured."""

    precision: list[float] | None = None
    parameters: float = 4e6
    digest: str = DIGEST
    channels: list[int] | None = None
    history: list[float] = field(default_factory=list)
    chance: float | None = None


def record(folder: Path, recipe: Recipe, **figures: Any) -> Path:
    """A finished run's record with these `Figures`."""
    given = Figures(**figures)
    values = given.precision or answers(0.5, 0.0)
    result = Result(
        run_id=recipe.run_id,
        metrics={"camera_rule/mAP": float(np.mean(values)), "parameters": given.parameters},
        history=[
            Epoch(number=number, metrics={"camera_rule/mAP": value})
            for number, value in enumerate(given.history, 1)
        ],
        channels=given.channels,
        average_precision={"camera_rule": given.precision} if given.precision else {},
        query_identities={"camera_rule": IDENTITIES.tolist()},
        chance_precision={"camera_rule": [given.chance] * len(IDENTITIES)} if given.chance else {},
    )
    return write_record(folder, recipe, result, {"data_digest": given.digest})


def pair_of_records(
    folder: Path, seed: int, advantage: float, deviation: float = 0.0, **student: Any
) -> None:
    """Both runs of a seed; queries of the student are so much better on average."""
    base = answers(0.5, 0.1)
    better = (np.array(base) + np.array(answers(advantage, deviation, seed + 1))).tolist()
    record(folder, a_teacher("mini", seed), precision=base)
    record(folder, a_student("mini", seed), precision=better, **student)


def evidence(folder: Path, overrides: Overrides | None = None) -> RunLookup:
    """The records of the folder behind the tiny table."""
    return RunLookup(folder, "mini", {"tiny": TINY}, overrides)


def claim(measure: Measure | None = MAP, **fields: Any) -> Claim:
    """The student is better than the teacher."""
    values: dict[str, Any] = {"name": "better", "text": "It is better", "where": "Section 1"}
    values |= {"source": "Somebody, CONF 2023, Table 9", "measure": measure, "pairs": (Comparison(OF, THAN),)}
    return Claim(**{**values, **fields})


def saved(percent: float, seeds: int = 3) -> ClaimVerdict:
    """The claim that the student is smaller, reproduced by so many seeds."""
    interval = seed_interval(dict.fromkeys(range(seeds), percent))
    pair = PairVerdict(pair=Comparison(OF, THAN), verdict=REPRODUCED, interval=interval)
    smaller = claim(COST, name="smaller", text="It is smaller", size=percent)
    return ClaimVerdict(
        claim=smaller, scale="mini", verdict=REPRODUCED, pairs=(pair,), size=percent, contradictions=()
    )
