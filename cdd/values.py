"""Kinds of values in a recipe: what each accepts, and how large it may be.

Numbers are strict: a truth value, a text or a fraction where a whole number is wanted is refused. The upper
limits are far above what any machine computes; they keep a slip of the finger from being planned.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

_PATH_PART = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
Use = Literal["standard", "tuning", "pretraining", "classification", "classification-tuning"]
"""Which images a run trains on and evaluates: see `Data`."""
LARGEST_NUMBER = 1e12
LARGEST_SEED = 2**63 - 1

Whole = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Several = Annotated[int, Field(strict=True, ge=2, le=1_000_000)]
Rows = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
"""Of a table in memory: a gallery, samples."""
Pixels = Annotated[int, Field(strict=True, ge=1, le=8_192)]
Channels = Annotated[int, Field(strict=True, ge=1, le=65_536)]
Layers = Annotated[int, Field(strict=True, ge=1, le=64)]
"""In one stage; more would take minutes to build."""
Seed = Annotated[int, Field(strict=True, ge=0, le=LARGEST_SEED)]
ShortSeed = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
"""Of a library that counts with 32 bits."""

Switch = Annotated[bool, Field(strict=True)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
PositiveFraction = Annotated[float, Field(strict=True, gt=0, le=1)]
Momentum = Annotated[float, Field(strict=True, ge=0, lt=1)]
NonNegative = Annotated[float, Field(strict=True, ge=0, le=LARGEST_NUMBER)]
Positive = Annotated[float, Field(strict=True, gt=0, le=LARGEST_NUMBER)]


def path_part(name: str) -> str:
    """The name, if it may become a part of a path.

    Raises:
        ValueError: for anything but letters, digits, dash and underscore.
    """
    if not _PATH_PART.fullmatch(name):
        raise ValueError(
            f"a name has 1 to 64 letters, digits, dashes and underscores, which {name[:80]!r} has not"
        )
    return name


Name = Annotated[str, Field(strict=True), AfterValidator(path_part)]


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("it is a range: give the smaller number first")
    return pair


FractionRange = Annotated[tuple[Fraction, Fraction], AfterValidator(_ascending)]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
