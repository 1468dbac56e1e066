"""Input and output types of a backbone."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "batch 3 height width"]
Taps = tuple[Tensor, Tensor]


class Maps(NamedTuple):
    """What a backbone computes: the map of each stage, the last one before its ReLU, the taps."""

    stages: tuple[Tensor, ...]
    before_last_relu: Tensor
    taps: list[Taps]
