"""Rows of runs that differ by data set alone."""

from collections.abc import Callable, Mapping
from functools import partial

from cdd.recipe import Recipe
from experiments.schema.table import Entry, Row

DATASETS = {"In-Shop": "in-shop", "VeRi-776": "veri776", "MSMT17": "msmt17"}
"""The recipes' names of the data sets by their titles in the paper."""
HEAVY = ("ResNet101", "ResNet101")
"""Teacher and student of most rows."""


def trained(
    label: str,
    recipe: Callable[[str, str, int], Recipe],
    paper: Mapping[str, Mapping[str, float]],
    texts: tuple[str, ...] = (),
    note: str = "",
) -> Row:
    """A row with one run per data set, and the paper's numbers beside them.

    Args:
        label: as the paper names the method.
        recipe: by data set, scale and seed.
        paper: by title of the data set, the paper's numbers by column.
        texts: the cells of the table's text columns.
        note: below the table.
    """
    entries = {
        title: Entry(recipe=partial(recipe, DATASETS[title]), paper=numbers)
        for title, numbers in paper.items()
    }
    return Row(label=label, texts=texts, entries=entries, note=note)
