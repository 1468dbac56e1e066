"""Check of stored weights against a network."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cdd.architecture import Network
from cdd.errors import DataError
from cdd.models.network import build_backbone


def check_fit(weights: Mapping[str, Tensor], backbone: Network, origin: str) -> None:
    """Checks that weights have the names and the shapes of the backbone's.

    Args:
        origin: the weights' file or name, for the message.

    Raises:
        DataError: for a missing name, a name too many or another shape.
    """
    with torch.device("meta"):
        expected = {name: value.shape for name, value in build_backbone(backbone).state_dict().items()}
    # Files from before batch norms counted their batches do not have these counters.
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    known = expected.keys() & weights.keys()
    problems = {
        "lacks": needed - weights.keys(),
        "also holds": weights.keys() - expected.keys(),
        "has other shapes for": {name for name in known if weights[name].shape != expected[name]},
    }
    for what, names in problems.items():
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise DataError(
                f"{origin} belongs to another network: it {what} {', '.join(sorted(names)[:3])}{more}"
            )
