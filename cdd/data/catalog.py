"""The data sets by name."""

from pathlib import Path

from cdd.data.household import household
from cdd.data.records import Dataset
from cdd.recipe import Data

EMBEDDED = {"household": household}


def load(data: Data, data_root: Path | None = None) -> Dataset:
    """The data set that a recipe names, at the recipe's image size.

    Raises:
        ValueError: for an unknown name.
    """
    if data.name not in EMBEDDED:
        raise ValueError(f"unknown data set {data.name!r}: choose one of {', '.join(EMBEDDED)}")
    return EMBEDDED[data.name](data.height, data.width)
