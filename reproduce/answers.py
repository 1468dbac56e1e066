"""What each query of a finished run found, beside its record; and what each query shows, once per data set.

A record has the average precisions itself, to four decimals, which moves no mean by more than 0.005 points.
Where there are too many queries for that they stand beside it in `<run id>.npz`, as float32.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from cdd.recipe import Data
from cdd.run import Result

DECIMALS = 4
PRECISION, FIRST = "average_precision", "first_is_right"
QUERIES = "queries"
DIGEST_LENGTH = 12


@dataclass(frozen=True)
class Answers:
    """One value per valid query, in query order, by protocol.

    Attributes:
        average_precision: of classification, 1 or 0: whether the image's class was found.
        first_is_right: 1 or 0; empty for runs that were recorded before it was kept.
    """

    average_precision: Mapping[str, Float[np.ndarray, " queries"]]
    first_is_right: Mapping[str, Float[np.ndarray, " queries"]]


def as_text(result: Result) -> dict[str, Any]:
    """The answers as fields of a record; right and wrong as one character per query."""
    return {
        PRECISION: {
            name: [round(value, DECIMALS) for value in found]
            for name, found in result.average_precision.items()
        },
        FIRST: {name: "".join(map(str, found)) for name, found in result.first_is_right.items()},
    }


def write_beside(record: Path, result: Result) -> Path:
    """Writes the answers into a file beside the record, complete or not at all; returns it."""
    arrays: dict[str, Any] = {
        f"{PRECISION}/{name}": np.asarray(found, np.float32)
        for name, found in result.average_precision.items()
    }
    arrays |= {f"{FIRST}/{name}": np.asarray(found, bool) for name, found in result.first_is_right.items()}
    path = record.with_suffix(".npz")
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    return partial.replace(path)


def read_answers(record: Path) -> Answers | None:
    """The answers in a record or beside it; None where neither has them.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    beside = record.with_suffix(".npz")
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
        if PRECISION in values:
            precision = {name: np.asarray(found, float) for name, found in values[PRECISION].items()}
            return Answers(precision, {name: _bits(text) for name, text in values.get(FIRST, {}).items()})
        return _from_arrays(beside) if beside.exists() else None
    except (OSError, ValueError, TypeError, AttributeError, KeyError, BadZipFile) as error:
        raise ValueError(
            f"the answers of {record} are damaged: {error}. Restore it and {beside.name} with git, "
            "or delete them: the next command that has the run writes them again."
        ) from error


def write_identities(folder: Path, data: Data, digest: str, identities: Mapping[str, list[int]]) -> None:
    """Writes what each valid query shows, by protocol, where it is not written yet.

    Args:
        folder: of the scale.
        data: whose use says which images are asked for.
        digest: of the data set.
    """
    path = _identity_file(folder, data, digest)
    if path.exists() or not identities:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{json.dumps(name)}: {json.dumps(found, separators=(',', ':'))}"
        for name, found in identities.items()
    ]
    partial = path.with_suffix(".partial")
    partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    partial.replace(path)


def read_identities(folder: Path, data: Data, digest: str) -> dict[str, Int[np.ndarray, " queries"]] | None:
    """What each valid query shows, by protocol; None where it was not written.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    path = _identity_file(folder, data, digest)
    if not path.exists():
        return None
    try:
        return {
            name: np.asarray(found, np.int64)
            for name, found in json.loads(path.read_text(encoding="utf-8")).items()
        }
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}. Restore it with git, or delete it.") from error


def _identity_file(folder: Path, data: Data, digest: str) -> Path:
    return folder / QUERIES / f"{data.name}-{data.use}-{digest[:DIGEST_LENGTH]}.json"


def _bits(text: str) -> NDArray[np.float64]:
    return np.array(list(text), dtype=float)


def _from_arrays(path: Path) -> Answers:
    with np.load(path, allow_pickle=False) as stored:
        found = {name: stored[name].astype(float) for name in stored.files}
    return Answers(
        *(
            {name.removeprefix(f"{kind}/"): values for name, values in found.items() if name.startswith(kind)}
            for kind in (PRECISION, FIRST)
        )
    )
