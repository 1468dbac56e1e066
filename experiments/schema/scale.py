"""The three scales of every artifact."""

from typing import Literal

Scale = Literal["mini", "bench", "paper"]
SCALES: tuple[Scale, ...] = ("mini", "bench", "paper")
