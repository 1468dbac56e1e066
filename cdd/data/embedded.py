"""Data sets that ship inside the package, by name."""

from typing import TYPE_CHECKING

from cdd.data.household import household
from cdd.data.records import Dataset

if TYPE_CHECKING:
    from cdd.recipe import Data

EMBEDDED = {"household": household}


def load_embedded(data: "Data") -> Dataset | None:
    """The embedded data set that a recipe names, at the recipe's image size; None for any other name."""
    return EMBEDDED[data.name](data.height, data.width) if data.name in EMBEDDED else None
