"""Removal of dead channels from the student, and of their momentum from the optimiser."""

from collections.abc import Sequence

from jaxtyping import Bool
from torch import Tensor
from torch.optim import Optimizer

from cdd.compactor.slim import remove
from cdd.models.network import RetrievalNetwork


def slim(student: RetrievalNetwork, optimiser: Optimizer, dead: Sequence[Bool[Tensor, "_"]]) -> bool:
    """Whether any channel was removed, after dead channels and their momentum have been removed.

    Parameters stay the same objects, so the optimiser's groups remain valid; whatever depends on their
    shapes (compiled code, DDP's buckets) must be rebuilt.
    """
    cuts = remove(student, dead)
    for cut in cuts:
        state = optimiser.state.get(cut.parameter, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim == cut.parameter.ndim:
                state[name] = cut.of(value)
    return bool(cuts)
