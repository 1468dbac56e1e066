"""The trainable layer that decides which channels survive."""

import torch
from jaxtyping import Int
from torch import Tensor, nn


class Compactor(nn.Conv2d):
    """A square 1x1 convolution without bias that starts as the identity.

    Placed behind the batch norm of a 3x3 convolution, before the ReLU: insertion does not change the
    outputs, and a row of zeros makes its channel exactly zero. Such rows can be removed
    (`cdd.compactor.slim`): the layer then still reads all channels, but outputs only those of `rows`.

    Source: CDD, Section 3.1.1 (DGC); Ding et al., "ResRep", ICCV 2021, Section 3.2.

    Attributes:
        rows: the channels whose rows remain, ascending; not part of the state dict.
    """

    rows: Int[Tensor, " left"]

    def __init__(
        self, channels: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(channels, channels, kernel_size=1, bias=False, device=device, dtype=dtype)
        self.register_buffer("rows", torch.arange(channels, device=device), persistent=False)

    def reset_parameters(self) -> None:
        """Sets the weight to the identity, without drawing random numbers."""
        nn.init.dirac_(self.weight)

    def widened(self, values: Tensor, axis: int = 0) -> Tensor:
        """Values of the remaining rows, expanded to all channels with zero or false elsewhere."""
        if len(self.rows) == self.in_channels:
            return values
        shape = list(values.shape)
        shape[axis] = self.in_channels
        return values.new_zeros(shape).index_copy(axis, self.rows, values)

    def narrowed(self, values: Tensor) -> Tensor:
        """The values of the remaining rows, selected from values of all channels."""
        return values if len(self.rows) == self.in_channels else values[self.rows]
