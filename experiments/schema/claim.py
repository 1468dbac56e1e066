"""Declaration of a paper's claim: the runs compared, the measure, the direction and the size.

Data only: nothing here trains, reads files or judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from experiments.schema.table import Column


Relation = Literal["more", "no less", "same"]
"""more: the first is above the second. no less: not below it by more than the margin. same: within it."""


@dataclass(frozen=True)
class RunRef:
    """The run behind a row of a table, a point of a sweep or a curve of a figure.

    Attributes:
        artifact: its name on the command line.
        row: label of the row or curve.
        group: title of the group of columns.
        role: the run itself, or the teacher that it learns from.
        paper: the paper's figures by column name, where the row itself does not have them.
    """

    artifact: str
    row: str
    group: str
    role: Literal["run", "teacher"] = "run"
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Two runs that are compared; with one run alone, its figure is compared with the claim's level."""

    first: RunRef
    second: RunRef | None = None

    @property
    def runs(self) -> tuple[RunRef, ...]:
        """One or two."""
        return (self.first, self.second) if self.second else (self.first,)


@dataclass(frozen=True)
class FinalMetric:
    """A figure of the deployed network: accuracies by their difference, costs by the percentage saved."""

    column: "Column"


@dataclass(frozen=True)
class EarlyMean:
    """Mean of an accuracy over the first epochs, by their share of all."""

    column: "Column"
    share: float


@dataclass(frozen=True)
class DropAtResetting:
    """How far an accuracy falls, on average over this share of all epochs, when the resetting starts."""

    column: "Column"
    share: float


@dataclass(frozen=True)
class RecoveryAfterResetting:
    """How far an accuracy rises from there to the last epoch."""

    column: "Column"
    share: float


@dataclass(frozen=True)
class ChannelsSaved:
    """Percentage of the channels behind the 3x3 convolutions that the first run saves against the second.

    Attributes:
        block: the one that is counted, from the end as negative numbers are; None for all blocks.
    """

    block: int | None = None


@dataclass(frozen=True)
class SelfRetrievalRate:
    """Percentage of the queries of a drawn gallery of visual words that find themselves first."""


Measure = (
    FinalMetric | EarlyMean | DropAtResetting | RecoveryAfterResetting | ChannelsSaved | SelfRetrievalRate
)


@dataclass(frozen=True)
class QuotedNumber:
    """A figure as a text prints it.

    Attributes:
        text: as it stands there.
        value: in the claim's unit.
        where: section.
    """

    text: str
    value: float
    where: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the sources.

    Attributes:
        name: for programs; unique.
        text: what it means, in our words.
        source: the publication and the table or figure, as an artifact has it.
        where: the section whose words make the claim.
        measure: the figure by which the runs are compared.
        pairs: what is compared; the claim is true if every pair is as it says.
        relation: of the first of a pair to the second.
        margin: of "no less" and "same", in the measure's unit.
        level: what a run that is alone is compared with.
        size: the paper's, first minus second or percentage saved; None where it follows from the rows.
        printed: what the texts print; shown as contradictory where the rows give something else.
        remark: what a reader must know.
        untestable: why no run can test it; empty where runs can.
    """

    name: str
    text: str
    source: str
    where: str
    measure: Measure | None = None
    pairs: tuple[Comparison, ...] = ()
    relation: Relation = "more"
    margin: float = 0.0
    level: float = 0.0
    size: float | None = None
    printed: tuple[QuotedNumber, ...] = ()
    remark: str = ""
    untestable: str = ""

    def __post_init__(self) -> None:
        if not self.untestable and (self.measure is None or not self.pairs):
            raise ValueError(
                f"claim {self.name} names no measure or no runs: give both, or why it is untestable"
            )
        if (self.relation == "more") != (self.margin == 0):
            raise ValueError(
                f"claim {self.name} is {self.relation!r} with a margin of {self.margin:g}: only 'no less' "
                "and 'same' have one, and need it"
            )

    @property
    def is_saving(self) -> bool:
        """Whether it is about a cost, which is compared by the percentage saved."""
        costs = isinstance(self.measure, FinalMetric) and self.measure.column.relative == "percent"
        return costs or isinstance(self.measure, ChannelsSaved)

    @property
    def quantity(self) -> str:
        """The measure in words, with its unit."""
        match self.measure:
            case FinalMetric(column):
                text = f"{column.name} saved, %" if self.is_saving else f"{column.name}, points"
            case EarlyMean(column, share):
                text = f"{column.name} over the first {share:.0%} of the epochs, points"
            case DropAtResetting(column):
                text = f"fall of {column.name} when RGGR starts, points"
            case RecoveryAfterResetting(column):
                text = f"rise of {column.name} from there to the end, points"
            case ChannelsSaved():
                text = "channels saved, %"
            case SelfRetrievalRate():
                text = "queries that find themselves first, %"
            case None:
                text = "-"
        return text
