"""The trainable layer that decides which channels survive."""

import torch
from torch import nn


class Compactor(nn.Conv2d):
    """A square 1x1 convolution without bias that starts as the identity.

    Stands behind the batch norm of a 3x3 convolution, before its ReLU: inserting it changes nothing,
    and a row that becomes zero makes its channel exactly zero.

    Source: CDD, Section 3.1.1 (DGC); Ding et al., "ResRep", ICCV 2021, Section 3.2.
    """

    def __init__(
        self, channels: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(channels, channels, kernel_size=1, bias=False, device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Makes the weight the identity; draws no random number, so that insertion moves no other seed."""
        nn.init.dirac_(self.weight)
