"""Kinds of values in a recipe: what each accepts, and how large it may be.

Numbers are strict: a truth value, a text or a fraction where a whole number is wanted is refused. The upper
limits are far above what any machine computes; they keep a slip of the finger from being planned.
"""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

LARGEST_NUMBER = 1e12
LARGEST_SEED = 2**63 - 1

Whole = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Several = Annotated[int, Field(strict=True, ge=2, le=1_000_000)]
Rows = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
"""Of a table in memory: a gallery, samples."""
Pixels = Annotated[int, Field(strict=True, ge=1, le=8_192)]
Channels = Annotated[int, Field(strict=True, ge=1, le=65_536)]
Layers = Annotated[int, Field(strict=True, ge=1, le=256)]
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

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}\z")]
"""Of what may become a part of a path: letters, digits, dash and underscore."""


def ascending(name: str) -> Callable[[tuple[float, float]], tuple[float, float]]:
    """A check that a pair is a range, from its lower to its upper end."""

    def check(pair: tuple[float, float]) -> tuple[float, float]:
        if pair[0] > pair[1]:
            raise ValueError(f"{name} is a range: give the smaller number first")
        return pair

    return check


FractionRange = Annotated[tuple[Fraction, Fraction], AfterValidator(ascending("it"))]
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(ascending("it"))]
