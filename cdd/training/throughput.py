"""Measured time and memory of training steps and of embedding."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Throughput:
    """What a few steps took.

    Attributes:
        seconds_per_step: one training step of the recipe's whole batch.
        seconds_per_image: one evaluated image.
        peak_memory: bytes of device memory at most; None where torch does not count them.
    """

    seconds_per_step: Seconds
    seconds_per_image: Seconds
    peak_memory: Annotated[int, Field(ge=0)] | None
