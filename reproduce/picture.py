"""How a figure of the paper is declared: curves over epochs, a setting that is varied, channels per block.

Data only: nothing here trains, reads files or computes a result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cdd.recipe import Recipe
from reproduce.artifact import Column, Group, RecipeMaker, Scale, Table


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a figure: a run, followed over its epochs.

    Attributes:
        label: the method's name as the paper prints it.
        recipe: the run.
        paper: the paper's number at the end of its training; None where it has none.
        own: whether it is the paper's own method, which is drawn in front of the others.
    """

    label: str
    recipe: RecipeMaker
    paper: float | None = None
    own: bool = False


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An event of one curve: a line across the figure at the epoch in which it happens."""

    text: str
    curve: str
    epoch: Callable[[Recipe], int]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of the paper with one metric over the epochs of several runs.

    Attributes:
        name: what the command line calls it.
        title: the paper's caption.
        source: where it stands.
        group: the data set and its protocol.
        column: the metric.
        marks: what happens at an epoch.
        notes: what is said below the figure.
    """

    name: str
    title: str
    source: str
    group: Group
    column: Column
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = [curve.label for curve in self.curves]
        if len(set(labels)) < len(labels):
            raise ValueError(f"{self.name} has two curves of one label: {', '.join(labels)}")
        for mark in self.marks:
            if mark.curve not in labels:
                raise ValueError(f"{self.name} marks the curve {mark.curve!r}, but has only {sorted(labels)}")

    @property
    def groups(self) -> tuple[Group, ...]:
        """Its only group, as tables have several."""
        return (self.group,)

    def recipes(self, scale: Scale, seed: int) -> list[tuple[str, str, Recipe]]:
        """Label, group title and run of every curve."""
        return [(curve.label, self.group.title, curve.recipe(scale, seed)) for curve in self.curves]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A figure of one setting: a table whose rows are its values, drawn as one panel per column.

    Attributes:
        table: its rows are the values.
        axis: what is varied, as the horizontal axis says it.
        values: by row label, where the row stands on the axis.
    """

    table: Table
    axis: str
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        labels = [row.label for row in self.table.rows]
        if labels != list(self.values):
            raise ValueError(f"{self.name} has rows {labels}, but values for {list(self.values)}")

    @property
    def name(self) -> str:
        """What the command line calls it."""
        return self.table.name

    @property
    def title(self) -> str:
        """The paper's caption."""
        return self.table.title

    @property
    def source(self) -> str:
        """Where it stands."""
        return self.table.source

    @property
    def groups(self) -> tuple[Group, ...]:
        """The data sets and their protocols."""
        return self.table.groups

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said below the figure."""
        return self.table.notes

    def recipes(self, scale: Scale, seed: int) -> list[tuple[str, str, Recipe]]:
        """Label, group title and run of every point."""
        return self.table.recipes(scale, seed)


@dataclass(frozen=True, kw_only=True)
class ChannelBars:
    """A figure of the channels that are left behind each 3x3 convolution, one bar per block and run.

    Attributes:
        name: what the command line calls it.
        title: the paper's caption.
        source: where it stands.
        group: the data set and its protocol.
        bars: the runs, beside each other in every block.
        notes: what is said below the figure.
    """

    name: str
    title: str
    source: str
    group: Group
    bars: tuple[Curve, ...]
    notes: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """Its only group, as tables have several."""
        return (self.group,)

    def recipes(self, scale: Scale, seed: int) -> list[tuple[str, str, Recipe]]:
        """Label, group title and run of every kind of bar."""
        return [(bar.label, self.group.title, bar.recipe(scale, seed)) for bar in self.bars]


Picture = Figure | Sweep | ChannelBars
Artifact = Table | Picture
