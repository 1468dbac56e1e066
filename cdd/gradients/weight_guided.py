"""ResRep's choice of rows: the smallest of the whole network, a few more each time, until it is cheap enough.

Source: Ding et al., "ResRep: Lossless CNN Pruning via Decoupling Remembering and Forgetting", ICCV 2021,
Section 3.3; the authors' release for the counting.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from cdd.losses.group_lasso import row_norms

Costs = Callable[[NDArray[np.int64]], float]
"""Cost of a network whose layers keep so many channels; never grows when a count falls."""


@torch.no_grad()
def grown_masks(
    norms: Sequence[Float[Tensor, "_"]],
    kept: Sequence[Bool[Tensor, "_"]],
    costs: Costs,
    *,
    target: float,
    growth: int = 4,
) -> list[Bool[Tensor, "_"]]:
    """New masks of the rows that keep their task gradient, at least one per layer.

    All rows are sorted by norm and masked from the smallest on until the rest costs no more than
    `target` of the whole, but at most `growth` rows more than are masked now; if what is kept now is
    already cheap enough there is no such limit. The masks are made anew each time, so a row can return;
    a layer in which no row is chosen keeps its mask. A row that would be its layer's last is passed
    over, and counts.

    Args:
        norms: per layer, the norm of each row.
        kept: per layer, the present mask, true for rows that keep their task gradient.
        costs: multiply-adds, or any other cost, by the numbers of kept rows.
        target: share of the full cost to reach, 0 to 1.
        growth: further rows that one call may mask.

    Source: the release's `resrep_mask_model`.
    """
    full = np.array([len(values) for values in norms])
    values = torch.cat([each.double().cpu() for each in norms]).numpy()
    layers = np.repeat(np.arange(len(full)), full)
    order = np.argsort(values, kind="stable")
    enough = target * costs(full)

    def left(walked: int) -> NDArray[np.int64]:
        chosen = np.bincount(layers[order[:walked]], minlength=len(full))
        counts: NDArray[np.int64] = full - np.minimum(chosen, full - 1)
        return counts

    present = np.array([int(mask.sum()) for mask in kept])
    limit = len(order)
    if costs(present) > enough:
        limit = min(limit, int((full - present).sum()) + growth)
    walked = min(limit, bisect_left(range(len(order) + 1), True, key=lambda k: costs(left(k)) <= enough))
    return _masks(order[:walked], layers, full, kept)


def _masks(
    walked: NDArray[np.int64],
    layers: NDArray[np.int64],
    full: NDArray[np.int64],
    kept: Sequence[Tensor],
) -> list[Tensor]:
    """Every layer without its walked rows, of which the last stays where they are all; or as it was."""
    starts = np.concatenate([[0], np.cumsum(full)])
    masks = []
    for layer, before in enumerate(kept):
        rows = walked[layers[walked] == layer][: full[layer] - 1] - starts[layer]
        mask = before
        if len(rows):
            mask = torch.ones_like(before)
            mask[torch.from_numpy(rows).to(before.device)] = False
        masks.append(mask)
    return masks


class WeightGuidedResetting(nn.Module):
    """ResRep's masks over all compactors of a student, updated every few iterations.

    The state dict holds masks and iterations, so that a resumed training continues bit for bit.
    """

    def __init__(self, weights: Sequence[Tensor], *, target: float, growth: int, interval: int):
        """Every row kept.

        Args:
            weights: of the compactors; only their shape and device are read.
            target: see `grown_masks`.
            growth: see `grown_masks`.
            interval: iterations from one update to the next.
        """
        super().__init__()
        self.target, self.growth, self.interval = target, growth, interval
        self.count = len(weights)
        self.register_buffer("iterations", torch.zeros((), dtype=torch.int64))
        for number, weight in enumerate(weights):
            mask = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
            self.register_buffer(f"kept_{number:02d}", mask)

    @torch.no_grad()
    def step(self, weights: Sequence[Tensor], costs: Costs | None) -> None:
        """Counts an iteration and lets the masks grow where it is time; without `costs` it only counts."""
        iterations = self.get_buffer("iterations")
        iterations += 1
        if costs is None or int(iterations) % self.interval:
            return
        norms = [row_norms(weight.detach()) for weight in weights]
        masks = grown_masks(norms, self.kept(), costs, target=self.target, growth=self.growth)
        for mask, grown in zip(self.kept(), masks, strict=True):
            mask.copy_(grown)

    def kept(self) -> list[Tensor]:
        """Per compactor, the rows that keep their task gradient (bool; the buffers themselves)."""
        return [self.get_buffer(f"kept_{number:02d}") for number in range(self.count)]

    def masked_share(self) -> list[float]:
        """Per compactor, the share of rows whose task gradient is reset, 0 to 1."""
        return [1 - int(mask.sum()) / len(mask) for mask in self.kept()]

    def left(self, costs: Costs) -> float:
        """The share of the full cost that a network without the masked rows has."""
        kept, full = ([count(mask) for mask in self.kept()] for count in (lambda mask: int(mask.sum()), len))
        return costs(np.array(kept)) / costs(np.array(full))
