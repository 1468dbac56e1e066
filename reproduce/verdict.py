"""Whether the orderings that the paper draws from a table hold in ours.

Rows are compared seed by seed, relative to the table's reference row, so that seeds which make both
rows better do not count as noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reproduce.artifact import Claim, Group, Table
from reproduce.cells import Cell, CellKey
from reproduce.paired_bootstrap import seed_interval

REPRODUCED, NOT_REPRODUCED, NOISE, NOT_RUN = "reproduced", "not reproduced", "within seed noise", "not run"


@dataclass(frozen=True)
class Verdict:
    """One claim under one group's protocol.

    Attributes:
        difference: ours, first row minus second; in percent of the reference row or in the column's unit.
        margin: half width of the 90 % interval of the difference; None for one seed.
        paper: the same difference of the paper's numbers.
    """

    claim: Claim
    group: Group
    outcome: str
    difference: float | None
    margin: float | None
    seeds: int
    paper: float | None

    @property
    def numbers(self) -> str:
        """Our difference with its margin."""
        if self.difference is None:
            return "-"
        text = f"{self.difference:+.2f}".replace("-", "\u2212")
        return text + (f" ± {self.margin:.2f}" if self.margin is not None else "")


def judge(table: Table, cells: Mapping[CellKey, Cell]) -> list[Verdict]:
    """Every claim under every group, from cells relative to the reference row."""
    return [_judged(claim, group, cells) for claim in table.claims for group in table.groups]


def ordering(table: Table, claim: Claim) -> str:
    """The claim as an inequality, with its unit."""
    column = next(column for group in table.groups for column in group.columns if column.name == claim.column)
    sign = ("<" if column.better == "lower" else ">") if not claim.allowance else "≥"
    slack = f" - {claim.allowance:g}" if claim.allowance else ""
    return f"{column.name}: {claim.row} {sign} {claim.than}{slack}"


def _judged(claim: Claim, group: Group, cells: Mapping[CellKey, Cell]) -> Verdict:
    row, than = (cells[label, group.title, claim.column] for label in (claim.row, claim.than))
    column = next(column for column in group.columns if column.name == claim.column)
    sign = -1 if column.better == "lower" else 1
    differences = {
        seed: value - than.values[seed] for seed, value in row.values.items() if seed in than.values
    }
    paper = None if row.paper is None or than.paper is None else row.paper - than.paper
    if not differences:
        return Verdict(claim, group, NOT_RUN, None, None, 0, paper)
    interval = seed_interval(differences)
    margin = interval.high - interval.mean if interval.spread else None
    outcome = _outcome(sign * interval.mean + claim.allowance, margin)
    return Verdict(claim, group, outcome, interval.mean, margin, len(differences), paper)


def _outcome(advantage: float, margin: float | None) -> str:
    if margin is None:
        return f"{REPRODUCED if advantage > 0 else NOT_REPRODUCED} (one seed: no noise estimate)"
    if advantage > margin:
        return REPRODUCED
    return NOT_REPRODUCED if advantage <= -margin else NOISE
