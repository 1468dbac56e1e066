"""The optimiser goes with a student that gets smaller."""

from collections.abc import Sequence

from jaxtyping import Bool
from torch import Tensor
from torch.optim import Optimizer

from cdd.compactor.slim import remove
from cdd.models.network import RetrievalNetwork


def slim(student: RetrievalNetwork, optimiser: Optimizer, dead: Sequence[Bool[Tensor, "_"]]) -> bool:
    """Takes dead channels out of the student and their momentum out of the optimiser; true if there were any.

    Parameters stay the objects that they were, so the optimiser's groups hold; whatever has noted their
    shapes (compiled code, the buckets of a distributed student) must be made anew.
    """
    cuts = remove(student, dead)
    for cut in cuts:
        state = optimiser.state.get(cut.parameter, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim == cut.parameter.ndim:
                state[name] = cut.of(value)
    return bool(cuts)
