"""Which uses a data set allows."""

from typing import TYPE_CHECKING

from cdd.data.dataset_facts import PUBLISHED
from cdd.data.records import CLASSIFICATION

if TYPE_CHECKING:
    from cdd.recipe import Data


def require_allowed(data: "Data") -> None:
    """Makes sure that a data set serves what its authors divided it for; the embedded one serves all.

    Raises:
        ValueError: naming the uses that there are.
    """
    published = PUBLISHED.get(data.name)
    if published is None or (data.use in CLASSIFICATION) == (published.task == "classification"):
        return
    if published.task == "classification":
        reason = "its test images show the classes of training"
        allowed = " or ".join(f"data.use={use}" for use in CLASSIFICATION)
    else:
        reason = "its test images show identities that are not trained on"
        allowed = "data.use=standard or data.use=tuning"
    raise ValueError(
        f"data.use={data.use} does not suit {published.title}, a data set for {published.task}: {reason}. "
        f"Use {allowed}."
    )
