"""ResRep's row masks: the smallest rows of the whole network, a few more per update, down to a target cost.

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
"""Cost of a network by its numbers of kept channels per layer; non-decreasing in each number."""


@torch.no_grad()
def grow_masks(
    norms: Sequence[Float[Tensor, "_"]],
    kept: Sequence[Bool[Tensor, "_"]],
    costs: Costs,
    *,
    target: float,
    growth: int = 4,
) -> list[Bool[Tensor, "_"]]:
    """New masks of the rows that keep their task gradient, at least one per layer.

    All rows are sorted by norm and masked, smallest first, until the remaining rows cost at most `target`
    of the full cost, but at most `growth` rows more than are masked at present; without this limit if the
    present masks already reach the target. The masks are rebuilt at each call, so a row can be unmasked;
    a layer without a selected row keeps its mask. The last row of a layer is never masked, but counts as
    selected.

    Args:
        norms: per layer, the norm of each row.
        kept: per layer, the present mask, true for rows that keep their task gradient.
        costs: multiply-adds, or any other cost, by the numbers of kept rows.
        target: share of the full cost to reach, 0 to 1.
        growth: additional rows that one call may mask.

    Source: the release's `resrep_mask_model`.
    """
    full = np.array([len(values) for values in norms])
    values = torch.cat([layer_norms.double().cpu() for layer_norms in norms]).numpy()
    layers = np.repeat(np.arange(len(full)), full)
    order = np.argsort(values, kind="stable")
    target_cost = target * costs(full)

    def kept_counts(selected: int) -> NDArray[np.int64]:
        layer_counts = np.bincount(layers[order[:selected]], minlength=len(full))
        counts: NDArray[np.int64] = full - np.minimum(layer_counts, full - 1)
        return counts

    present = np.array([int(mask.sum()) for mask in kept])
    limit = len(order)
    if costs(present) > target_cost:
        limit = min(limit, int((full - present).sum()) + growth)
    numbers = range(len(order) + 1)
    selected = min(limit, bisect_left(numbers, True, key=lambda k: costs(kept_counts(k)) <= target_cost))
    return _masks(order[:selected], layers, full, kept)


def _masks(
    selected: NDArray[np.int64],
    layers: NDArray[np.int64],
    full: NDArray[np.int64],
    kept: Sequence[Tensor],
) -> list[Tensor]:
    """Masks without the selected rows, at least one row kept; unchanged for a layer without selection."""
    starts = np.concatenate([[0], np.cumsum(full)])
    masks = []
    for layer, present in enumerate(kept):
        rows = selected[layers[selected] == layer][: full[layer] - 1] - starts[layer]
        mask = present
        if len(rows):
            mask = torch.ones_like(present)
            mask[torch.from_numpy(rows).to(present.device)] = False
        masks.append(mask)
    return masks


class WeightGuidedResetting(nn.Module):
    """ResRep's masks over all compactors of a student, updated every few iterations.

    The state dict holds masks and iterations, so that a resumed training continues bit for bit.
    """

    def __init__(self, weights: Sequence[Tensor], *, target: float, growth: int, interval: int):
        """Starts with every row kept.

        Args:
            weights: weights of the compactors; only shape and device are read.
            target: see `grow_masks`.
            growth: see `grow_masks`.
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
        """Counts an iteration and, every `interval` iterations, updates the masks; not without `costs`."""
        iterations = self.get_buffer("iterations")
        iterations += 1
        if costs is None or int(iterations) % self.interval:
            return
        norms = [row_norms(weight.detach()) for weight in weights]
        masks = grow_masks(norms, self.kept(), costs, target=self.target, growth=self.growth)
        for mask, updated in zip(self.kept(), masks, strict=True):
            mask.copy_(updated)

    def kept(self) -> list[Tensor]:
        """Mask of the rows that keep their task gradient, per compactor (bool; the buffers themselves)."""
        return [self.get_buffer(f"kept_{number:02d}") for number in range(self.count)]

    def masked_share(self) -> list[float]:
        """Share of rows whose task gradient is reset, per compactor, 0 to 1."""
        return [1 - int(mask.sum()) / len(mask) for mask in self.kept()]

    def left(self, costs: Costs) -> float:
        """Cost of the network without the masked rows, as a share of the full cost."""
        kept, full = ([count(mask) for mask in self.kept()] for count in (lambda mask: int(mask.sum()), len))
        return costs(np.array(kept)) / costs(np.array(full))
