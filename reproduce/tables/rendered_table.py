"""Blocks of text cells under a title, with notes: the printed form of every table and figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

MINUS = "\u2212"
CELL = ("row", "group", "column")
"""Columns of a table's numbers that name the cell."""


@dataclass(frozen=True)
class Block:
    """A grid of text cells. Index levels are text columns; column levels are group and heading.

    Attributes:
        words: whether the cells are words, which begin on the left, and not numbers.
        brief: names of the columns that a terminal shows; empty for all.
    """

    title: str
    frame: pd.DataFrame
    words: bool = False
    brief: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        title: str,
        rows: Mapping[Any, list[str]],
        headings: tuple[str, ...],
        columns: list[tuple[str, str]],
    ) -> Self:
        """Rows by their text columns, which `headings` name; `columns` are groups and names."""
        index = pd.MultiIndex.from_tuples(list(rows), names=headings)
        frame = pd.DataFrame(list(rows.values()), index=index, columns=pd.MultiIndex.from_tuples(columns))
        return cls(title, frame)


@dataclass(frozen=True)
class RenderedTable:
    """A drawn table: what every file format shows."""

    name: str
    title: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]
    numbers: pd.DataFrame

    @property
    def means(self) -> dict[str, float]:
        """The measured cells of a table by `group column/row`; none where it has no rows of groups."""
        if not {*CELL, "mean"} <= {*self.numbers}:
            return {}
        cells = self.numbers.dropna(subset="mean").to_dict("records")
        return {f"{cell['group']} {cell['column']}/{cell['row']}": float(cell["mean"]) for cell in cells}


def number_text(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """The number as it is printed, with a real minus; a dash for none."""
    if value is None:
        return "-"
    return f"{value:{'+' if signed else ''}.{decimals}f}".replace("-", MINUS)
