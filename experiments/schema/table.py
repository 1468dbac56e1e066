"""Declaration of a table of a paper: rows, and columns in groups.

Data only: nothing here trains, reads files or computes a result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from experiments.schema.scale import Scale

if TYPE_CHECKING:
    from cdd.recipe import Recipe

BEYOND = "beyond the paper"
"""Source of an artifact that the paper does not have."""

RecipeMaker = Callable[[Scale, int], "Recipe"]
"""The run behind a cell, for a scale and a seed."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One figure of a run.

    Attributes:
        name: its key in the numbers of the paper, and its short title.
        unit: printed behind the name.
        metric: key of the run's metrics; `{protocol}` stands for the group's protocol.
        factor: from the metric's unit to the printed one.
        decimals: as the paper prints it; small values get more.
        better: direction that a reader wants.
        relative: how a row compares with the table's reference row: a share of it in percent, or the
            difference from it in the column's own unit.
    """

    name: str
    unit: str
    metric: str
    factor: float = 1.0
    decimals: int = 2
    better: Literal["higher", "lower"]
    relative: Literal["percent", "difference"]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns under one heading: a data set of the paper and the protocol it is evaluated with.

    Attributes:
        title: the paper's heading.
        is_dataset: whether the heading names a data set, for which others may stand in.
        protocol: name of the protocol in the metrics of a run.
        protocol_text: the protocol in words, for the caption.
    """

    title: str
    protocol: str
    protocol_text: str
    columns: tuple[Column, ...]
    is_dataset: bool = True

    def heading(self, scale: Scale) -> str:
        """The paper's heading; only the protocol's name where other data stand in."""
        return f"{self.title} protocol" if self.is_dataset and scale != "paper" else self.title

    def metric(self, column: Column) -> str:
        """Key of the column's metric under this group's protocol."""
        return column.metric.format(protocol=self.protocol)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row's part in one group: the run it shows and the paper's numbers by column name."""

    recipe: RecipeMaker | None = None
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        label: the method's name as the paper prints it.
        texts: the cells of the table's text columns.
        entries: one per group, by the group's title.
        reported: the numbers are copied from a publication that the paper cites; nothing is trained.
        note: what a reader must know of this row, printed below the table.
    """

    label: str
    texts: tuple[str, ...] = ()
    entries: Mapping[str, Entry]
    reported: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the paper.

    Attributes:
        name: what the command line calls it.
        title: the paper's caption.
        source: where it stands.
        headings: of the text columns, the label's first.
        reference: label of the row that the others are compared with.
        notes: what is said below the table of all rows.
        side_by_side: ours, the paper's and the gap stand beside each other instead of in lines of their
            own; for a table with one group.
    """

    name: str
    title: str
    source: str
    headings: tuple[str, ...]
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    reference: str | None = None
    notes: tuple[str, ...] = ()
    side_by_side: bool = False

    def __post_init__(self) -> None:
        if self.side_by_side and len(self.groups) != 1:
            raise ValueError(f"{self.name} has {len(self.groups)} groups: only one fits side by side")
        labels = {row.label for row in self.rows}
        if self.reference and self.reference not in labels:
            raise ValueError(f"{self.name} names the row {self.reference!r}, but has only {sorted(labels)}")
        for row in self.rows:
            self._check_row(row)

    def _check_row(self, row: Row) -> None:
        if len(row.texts) + 1 != len(self.headings):
            raise ValueError(
                f"row {row.label!r} has {len(row.texts)} texts for {len(self.headings) - 1} headings"
            )
        columns = {group.title: {column.name for column in group.columns} for group in self.groups}
        for title, entry in row.entries.items():
            unknown = set(entry.paper) - columns.get(title, set())
            if title not in columns or unknown:
                raise ValueError(
                    f"row {row.label!r} has numbers for {title!r} {sorted(unknown)}, which is no column"
                )
            if row.reported and entry.recipe:
                raise ValueError(f"row {row.label!r} is reported, so it cannot have a recipe")

    def recipes(self, scale: Scale, seed: int) -> "list[tuple[str, str, Recipe]]":
        """Row label, group title and run of every trained entry, row by row."""
        return [
            (row.label, title, entry.recipe(scale, seed))
            for row in self.rows
            for title, entry in row.entries.items()
            if entry.recipe
        ]
