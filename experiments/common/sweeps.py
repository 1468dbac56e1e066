"""Rows of the figures that vary one setting, under both data sets."""

from collections.abc import Callable, Mapping
from functools import partial

from cdd.recipe import Recipe
from experiments.common.columns import IN_SHOP, VERI_776
from experiments.common.recipes import cdd_with_neighbours
from experiments.common.rows import trained
from experiments.schema.figure import Sweep
from experiments.schema.table import Group, Row, Table

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
    numbers = {
        group.title: {name: value for name, value in published.get(group.title, {}).items() if name in names}
        for group in reversed(BOTH)
    }
    return trained(label, recipe, numbers)


def sweep_of_neighbours(name: str, title: str, source: str, names: tuple[str, ...]) -> Sweep:
    """The number of retrieved images, K, against these columns; two figures of the paper show it."""
    return Sweep(
        axis="K",
        values={"K = 1": 1, "K = 2": 2, "K = 3": 3, "K = 4": 4, "K = 5": 5, "K = 6": 6},
        table=Table(
            name=name,
            title=title,
            source=source,
            headings=("K",),
            groups=shown(*names),
            reference="K = 2",
            rows=(
                point("K = 1", partial(cdd_with_neighbours, 1), names),
                point("K = 2", partial(cdd_with_neighbours, 2), names, CDD_WITH_RGGR),
                point("K = 3", partial(cdd_with_neighbours, 3), names),
                point("K = 4", partial(cdd_with_neighbours, 4), names),
                point("K = 5", partial(cdd_with_neighbours, 5), names),
                point("K = 6", partial(cdd_with_neighbours, 6), names),
            ),
            notes=(
                "A query finds itself first, so K = 1 means no retrieval.",
                "The paper prints values for K = 2 alone.",
            ),
        ),
    )
