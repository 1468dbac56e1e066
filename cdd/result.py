"""Result of a finished run: metrics, history and per-query values, and its file."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, Field

from cdd.errors import DataError
from cdd.files import Finite, atomic_write, parse_json

RESULT, WEIGHTS, DEPLOYED = "result.json", "weights.pt", "deployed.pt"
DISTILLER = "distiller.pt"
"""What the distiller of a method with a preparation has learnt."""
Share = Annotated[float, Field(ge=-1e-6, le=1 + 1e-6)]
"""A fraction, whatever rounding has done to it."""
Flag = Annotated[int, Field(ge=0, le=1)]
RANK1_NAMES = "rank1_correct", "first_is_right"
"""Files written by earlier versions have the second name."""
RANK1_CORRECT = Field(validation_alias=AliasChoices(*RANK1_NAMES))
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
if TYPE_CHECKING:
    Environment = dict[str, Any]
else:  # What pydantic checks.
    Plain = str | Integer | Finite | bool | None
    Environment = dict[str, Plain | list[Plain]]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Metrics of one finished epoch, by name; epochs count from 1."""

    number: Annotated[int, Field(ge=1)]
    metrics: Mapping[str, Finite]


@dataclass(frozen=True, kw_only=True)
class Result:
    """Metrics, history and per-query values of a finished run.

    Attributes:
        metrics: of the deployed network, by name; accuracies are fractions.
        history: every epoch's metrics.
        channels: channels left behind each 3x3 convolution, or behind the first and the 3x3 convolution
            of each bottleneck where both are pruned; None where the method does not prune.
        average_precision: per protocol, one value per valid query, in query order; of classification, 1 or
            0 per image, right or wrong.
        rank1_correct: per protocol and valid query, 1 or 0: whether the first image is of its identity.
        query_identities: per protocol, the identity of each valid query.
        chance_precision: per protocol, the average precision of each valid query under random rankings.
        environment: versions, device, threads, precision in force, data digest, seconds;
            `co_trained_students`, if the student shared training batches: the largest number of students
            beside it. Its seconds are then its share of the common time.
    """

    run_id: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    metrics: dict[str, Finite]
    history: list[Epoch]
    channels: list[Annotated[int, Field(ge=0)]] | None
    average_precision: dict[str, list[Share]] = field(default_factory=dict)
    rank1_correct: Annotated[dict[str, list[Flag]], RANK1_CORRECT] = field(default_factory=dict)
    query_identities: dict[str, list[Integer]] = field(default_factory=dict)
    chance_precision: dict[str, list[Share]] = field(default_factory=dict)
    environment: Environment = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Writes the result, complete or not at all; a figure that is no number was not measured."""
        values = asdict(self)
        values["metrics"] = _numbers(self.metrics)
        values["history"] = [
            {"number": epoch.number, "metrics": _numbers(epoch.metrics)} for epoch in self.history
        ]
        atomic_write(folder / RESULT, json.dumps(values))


def load_result(folder: Path) -> Result | None:
    """The finished run's result in this folder; None where the run has not finished.

    Raises:
        DataError: naming the file if it is damaged.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    remedy = (
        f"Delete the folder {folder} and give the same command again: it fetches the run from the tracking "
        "store, or trains this run anew, and no other."
    )
    try:
        return parse_result(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. {remedy}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. {remedy}") from error


def parse_result(content: bytes) -> Result:
    """The result that `save` wrote.

    Raises:
        ValueError: saying in one line what is wrong with it.
    """
    result = parse_json(content, Result)
    problem = _inconsistent(result)
    if problem:
        raise ValueError(problem)
    return result


def _inconsistent(result: Result) -> str:
    """Error text for parts of a result that do not agree; empty if all agree."""
    numbers = [epoch.number for epoch in result.history]
    if numbers != list(range(1, len(numbers) + 1)):
        return f"history has epochs {numbers[:5]}, not 1, 2, 3, ..."
    for protocol, expected in result.average_precision.items():
        for name in ("rank1_correct", "query_identities"):
            values = getattr(result, name).get(protocol, expected)
            if len(values) != len(expected):
                counts = f"{len(expected)} queries in average_precision and {len(values)} in {name}"
                return f"{protocol} has {counts}"
    return ""


def _numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
