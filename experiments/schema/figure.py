"""Declarations of figures: metrics over epochs, sweeps of a setting, blocks, trade-offs of runs.

Data only: nothing here trains, reads files or computes a result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from cdd.recipe import Recipe
from experiments.schema.scale import Scale
from experiments.schema.table import Column, Group, RecipeMaker, Table


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
class EpochMarker:
    """An event of one curve: a line across the figure at the epoch in which it happens."""

    text: str
    curve: str
    epoch: Callable[[Recipe], int]


@dataclass(frozen=True, kw_only=True)
class RunFigure:
    """What figures of a few runs have in common.

    Attributes:
        name: what the command line calls it.
        title: the paper's caption.
        source: where it stands; `BEYOND` where the paper has no such figure.
        group: the data set and its protocol.
        curves: the runs.
        notes: what is said below the figure.
    """

    name: str
    title: str
    source: str
    group: Group
    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = [curve.label for curve in self.curves]
        if len(set(labels)) < len(labels):
            raise ValueError(f"{self.name} has two curves of one label: {', '.join(labels)}")

    @property
    def groups(self) -> tuple[Group, ...]:
        """Its only group, as tables have several."""
        return (self.group,)

    def recipes(self, scale: Scale, seed: int) -> list[tuple[str, str, Recipe]]:
        """Label, group title and run of every curve."""
        return [(curve.label, self.group.title, curve.recipe(scale, seed)) for curve in self.curves]


@dataclass(frozen=True, kw_only=True)
class LearningCurves(RunFigure):
    """Metrics over the epochs of several runs, one panel each.

    Attributes:
        columns: the metrics.
        marks: what happens at an epoch.
    """

    columns: tuple[Column, ...]
    marks: tuple[EpochMarker, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        labels = [curve.label for curve in self.curves]
        for mark in self.marks:
            if mark.curve not in labels:
                raise ValueError(f"{self.name} marks the curve {mark.curve!r}, but has only {sorted(labels)}")


@dataclass(frozen=True, kw_only=True)
class ChannelBars(RunFigure):
    """The channels that are left behind each 3x3 convolution, one bar per block and run."""


@dataclass(frozen=True, kw_only=True)
class BlockHeatmap(RunFigure):
    """A metric that each residual block has, over blocks and epochs: one panel of colours per run.

    Attributes:
        metric: its name in a run's history before `/block_01`; a fraction.
        quantity: what it is, in words.
    """

    metric: str
    quantity: str


@dataclass(frozen=True, kw_only=True)
class QuantileBands(RunFigure):
    """Quantiles of a positive quantity over the epochs, one panel of bands per run, on a logarithmic axis.

    Attributes:
        metric: its name in a run's history before `/quantile_050`.
        quantity: what it is, in words.
        limit: of a run, the value below which something happens, and what.
    """

    metric: str
    quantity: str
    limit: Callable[[Recipe], float]
    limit_text: str


@dataclass(frozen=True, kw_only=True)
class Variant(Curve):
    """A point that is read in another way than by default; the label says how.

    Attributes:
        number: of the point in `DIFFERENCES.md`.
        text: what the paper's text says.
        release: what the authors' release does.
        setting: field of the recipe that is switched; `-` for none.
        epoch: after which epoch the network is judged; `best` is chosen by the first column of the figure.
    """

    number: str
    text: str
    release: str
    setting: str
    epoch: Literal["last", "best"] = "last"


@dataclass(frozen=True, kw_only=True)
class ForestPlot(RunFigure):
    """What choices are worth, each switched alone: a line per choice with the interval of its difference.

    Attributes:
        default: the run that the choices differ from.
        curves: the choices.
        columns: what is compared, all of it in the table.
        panels: which of the columns are drawn.
    """

    default: Curve
    curves: tuple[Variant, ...]
    columns: tuple[Column, ...]
    panels: tuple[Column, ...]

    def recipes(self, scale: Scale, seed: int) -> list[tuple[str, str, Recipe]]:
        """Label, group title and run of the default and of every choice."""
        default = (self.default.label, self.group.title, self.default.recipe(scale, seed))
        return [default, *super().recipes(scale, seed)]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A figure of one setting: a table whose rows are its values, drawn as one panel per column.

    Attributes:
        table: its rows are the values.
        axis: what is varied, as the horizontal axis says it.
        values: by row label, where the row stands on the axis.
        baseline: label of a row without such a value, drawn as a straight line.
        logarithmic: whether the axis is.
    """

    table: Table
    axis: str
    values: Mapping[str, float]
    baseline: str | None = None
    logarithmic: bool = False

    def __post_init__(self) -> None:
        labels = [row.label for row in self.table.rows if row.label != self.baseline]
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
class TradeoffScatter:
    """Two metrics of every run that other artifacts show, one panel per group, with the Pareto front.

    Attributes:
        name: what the command line calls it.
        title: its caption.
        source: where it stands.
        artifacts: whose runs are shown.
        cost: the horizontal axis, of which less is better.
        accuracy: the vertical axis, of which more is better.
        family: the kind of method that a run's mark shows.
        notes: what is said below the figure.
    """

    name: str
    title: str
    source: str
    groups: tuple[Group, ...]
    artifacts: tuple[Table | Sweep | LearningCurves, ...]
    cost: Column
    accuracy: Column
    family: Callable[[Recipe], str]
    notes: tuple[str, ...] = ()

    def recipes(self, scale: Scale, seed: int) -> list[tuple[str, str, Recipe]]:
        """Label, group title and run of every point; a run is named after the first row that shows it."""
        titles = [group.title for group in self.groups]
        found: dict[tuple[str, str], tuple[str, str, Recipe]] = {}
        for artifact in self.artifacts:
            for label, title, recipe in artifact.recipes(scale, seed):
                if title in titles:
                    found.setdefault((title, recipe.run_id), (label, title, recipe))
        return list(found.values())


@dataclass(frozen=True, kw_only=True)
class VisualWordRetrieval(RunFigure):
    """What queries find where a teacher's visual words meet its student's; the curve is the student."""


Picture = (
    VisualWordRetrieval
    | LearningCurves
    | ForestPlot
    | Sweep
    | ChannelBars
    | BlockHeatmap
    | QuantileBands
    | TradeoffScatter
)
Artifact = Table | Picture
