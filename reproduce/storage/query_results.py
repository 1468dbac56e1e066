"""Results of a finished run by query, beside its record; identities of the queries, once per data set.

A record has the average precisions itself, to four decimals, which moves no mean by more than 0.005 points.
Where there are too many queries for that they stand beside it in `<run id>.npz`, as float32.
"""

import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from pydantic import Field

from cdd.files import atomic_write, inside, parse_json
from cdd.result import RANK1_CORRECT, RANK1_NAMES, Integer, Result, Share

if TYPE_CHECKING:
    from cdd.recipe import Data


DECIMALS = 4
PRECISION = "average_precision"
FIRST, FIRST_BEFORE = RANK1_NAMES
QUERIES = "queries"
DIGEST_LENGTH = 12
CHANCE_DECIMALS = 6
TOO_LARGE = (MemoryError, OverflowError)
Bits = Annotated[str, Field(pattern="^[01]*$")]
"""Right and wrong, one character per query."""


@dataclass(frozen=True)
class QueryResults:
    """One value per valid query, in query order, by protocol.

    Attributes:
        average_precision: of classification, 1 or 0: whether the image's class was found.
        rank1_correct: 1 or 0; empty for runs that were recorded before it was kept.
    """

    average_precision: Mapping[str, Float[np.ndarray, " queries"]]
    rank1_correct: Mapping[str, Float[np.ndarray, " queries"]]


@dataclass(frozen=True)
class _Stored:
    average_precision: dict[str, list[Share]] | None = None
    rank1_correct: Annotated[dict[str, Bits], RANK1_CORRECT] = field(default_factory=dict)


def as_text(result: Result) -> dict[str, Any]:
    """The answers as fields of a record; right and wrong as one character per query."""
    return {
        PRECISION: {
            name: [round(value, DECIMALS) for value in found]
            for name, found in result.average_precision.items()
        },
        FIRST: {name: "".join(map(str, found)) for name, found in result.rank1_correct.items()},
    }


def write_beside(record: Path, result: Result) -> Path:
    """Writes the answers into a file beside the record, complete or not at all; returns it."""
    arrays: dict[str, Any] = {
        f"{PRECISION}/{name}": np.asarray(found, np.float32)
        for name, found in result.average_precision.items()
    }
    arrays |= {f"{FIRST}/{name}": np.asarray(found, bool) for name, found in result.rank1_correct.items()}
    buffer, path = io.BytesIO(), record.with_suffix(".npz")
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    atomic_write(path, buffer.getvalue())
    return path


def read_query_results(record: Path) -> QueryResults | None:
    """The answers in a record or beside it; None where neither has them.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    beside = record.with_suffix(".npz")
    try:
        values = parse_json(record.read_bytes(), _Stored)
        if values.average_precision is not None:
            precision = {name: np.asarray(found, float) for name, found in values.average_precision.items()}
            return _checked(
                QueryResults(precision, {name: _bits(text) for name, text in values.rank1_correct.items()})
            )
        return _checked(_from_arrays(beside)) if beside.exists() else None
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile, zlib.error, *TOO_LARGE) as error:
        raise ValueError(
            f"the answers of {record} are damaged: {error}. Restore it and {beside.name} with git, "
            "or delete them: the next command that has the run writes them again."
        ) from error


def write_identities(folder: Path, data: "Data", digest: str, identities: Mapping[str, list[int]]) -> None:
    """Writes what each valid query shows, by protocol, where it is not written yet.

    Args:
        folder: of the scale.
        data: whose use says which images are asked for.
        digest: of the data set.
        identities: by protocol.
    """
    _write_once(_identity_file(folder, data, digest), identities)


def read_identities(folder: Path, data: "Data", digest: str) -> dict[str, Int[np.ndarray, " queries"]] | None:
    """What each valid query shows, by protocol; None where it was not written.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    return _read_by_protocol(_identity_file(folder, data, digest), Integer, np.int64)


def write_chance(folder: Path, data: "Data", digest: str, precision: Mapping[str, list[float]]) -> None:
    """Writes the precision of each valid query under random rankings, as `write_identities` does."""
    rounded = {name: [round(value, CHANCE_DECIMALS) for value in found] for name, found in precision.items()}
    _write_once(_chance_file(folder, data, digest), rounded)


def read_chance(folder: Path, data: "Data", digest: str) -> dict[str, Float[np.ndarray, " queries"]] | None:
    """Precision of each valid query under random rankings, by protocol; None where it was not written.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    return _read_by_protocol(_chance_file(folder, data, digest), Share, np.float64)


def _write_once(path: Path, values: Mapping[str, list[Any]]) -> None:
    if path.exists() or not values:
        return
    lines = [
        f"{json.dumps(name)}: {json.dumps(found, separators=(',', ':'))}" for name, found in values.items()
    ]
    atomic_write(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _read_by_protocol(path: Path, kind: Any, dtype: type[Any]) -> dict[str, NDArray[Any]] | None:
    if not path.exists():
        return None
    try:
        stored = parse_json(path.read_bytes(), dict[str, list[kind]])
        return {name: np.asarray(found, dtype) for name, found in stored.items()}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}. Restore it with git, or delete it.") from error


def _chance_file(folder: Path, data: "Data", digest: str) -> Path:
    return _identity_file(folder, data, digest).with_suffix(".chance.json")


def _identity_file(folder: Path, data: "Data", digest: str) -> Path:
    return inside(folder / QUERIES, f"{data.name}-{data.use}-{digest[:DIGEST_LENGTH]}.json")


def _checked(found: QueryResults) -> QueryResults:
    for name, values in found.average_precision.items():
        right = found.rank1_correct.get(name, values)
        if values.shape != right.shape or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{name} is not one value between 0 and 1 per query")
    return found


def _bits(text: str) -> NDArray[np.float64]:
    return np.array(list(text), dtype=float)


def _from_arrays(path: Path) -> QueryResults:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name].astype(float) for name in stored.files}
    by_kind: dict[str, dict[str, NDArray[np.float64]]] = {PRECISION: {}, FIRST: {}}
    for name, values in arrays.items():
        kind, _, protocol = name.partition("/")
        by_kind[FIRST if kind == FIRST_BEFORE else kind][protocol] = values
    return QueryResults(*by_kind.values())
