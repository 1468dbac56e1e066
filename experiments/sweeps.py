"""What the figures of one setting share: rows that stand for a value, under both data sets."""

from collections.abc import Callable, Mapping
from functools import partial

from cdd.recipe import Recipe
from experiments.columns import IN_SHOP, VERI_776
from reproduce.artifact import Entry, Group, Row

DATASETS = {"In-Shop": "in-shop", "VeRi-776": "veri776"}
BOTH = (VERI_776, IN_SHOP)
CDD_WITH_RGGR = {
    "In-Shop": {"MP": 14.97, "FLOPs": 4.68, "mAP": 81.28, "R1": 95.14},
    "VeRi-776": {"MP": 14.30, "FLOPs": 4.46, "mAP": 80.67, "R1": 96.66},
}
"""The paper's numbers for its own setting, Table 1."""


def shown(*names: str) -> tuple[Group, ...]:
    """Both data sets with these columns alone."""
    return tuple(
        Group(
            title=group.title,
            protocol=group.protocol,
            protocol_text=group.protocol_text,
            columns=tuple(column for name in names for column in group.columns if column.name == name),
        )
        for group in BOTH
    )


def point(
    label: str,
    recipe: Callable[[str, str, int], Recipe],
    names: tuple[str, ...],
    paper: Mapping[str, Mapping[str, float]] | None = None,
) -> Row:
    """One value of the setting on both data sets.

    Args:
        label: the value.
        recipe: by data set, scale and seed.
        names: columns that the figure shows.
        paper: by data set, the paper's numbers where it gives any.
    """
    published = paper or {}
    return Row(
        label=label,
        entries={
            title: Entry(
                recipe=partial(recipe, dataset),
                paper={name: value for name, value in published.get(title, {}).items() if name in names},
            )
            for title, dataset in DATASETS.items()
        },
    )
