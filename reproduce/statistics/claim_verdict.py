"""Verdict on a claim: our value beside the paper's, with intervals and reasons."""

from dataclasses import dataclass, replace
from typing import Any

from experiments.schema.claim import Claim, Comparison, RunRef
from experiments.schema.scale import Scale
from reproduce.statistics.intervals import Interval, seeds_needed
from reproduce.statistics.verdicts import CONTRADICTED, INCONCLUSIVE, NOT_TESTED, REPRODUCED

ONE_SEED = "one seed, and no verdict rests on one"

PUBLICATION_PARTS = 2
"""Parts of a source that name the publication: authors and conference; what follows is the place in it."""


@dataclass(frozen=True, kw_only=True)
class PairVerdict:
    """One pair of a claim.

    Attributes:
        interval: of the difference, over what is known; None where a run is missing.
        missing: why nothing was compared, for people; empty where it was.
        can_be_run: whether runs would provide what is missing.
    """

    pair: Comparison
    verdict: str
    interval: Interval | None = None
    missing: str = ""
    can_be_run: bool = False


@dataclass(frozen=True, kw_only=True)
class ClaimVerdict:
    """A claim and what became of it.

    Attributes:
        pairs: each pair with its own verdict.
        size: the paper's; None where the sources print none.
        contradictions: what the sources' texts print that their tables do not give.
        command: what would train what is missing: runs, or the seeds that would decide an unclear claim.
    """

    claim: Claim
    scale: Scale
    verdict: str
    pairs: tuple[PairVerdict, ...]
    size: float | None
    contradictions: tuple[str, ...]
    command: str = ""

    @property
    def weakest(self) -> PairVerdict | None:
        """The measured pair that is nearest to failing the claim; the worst verdict first."""
        measured = [found for found in self.pairs if found.interval]
        return min(measured, key=lambda found: _strength(self.claim, found), default=None)

    @property
    def interval(self) -> Interval | None:
        """Of the weakest pair."""
        return self.weakest.interval if self.weakest else None

    @property
    def shown(self) -> Interval | None:
        """The interval of the figure itself, where the claim compares it with a level."""
        found, level = self.interval, self.claim.level
        return found and replace(
            found, mean=found.mean + level, low=found.low + level, high=found.high + level
        )

    @property
    def holding(self) -> int:
        """Pairs whose mean is as the claim says, noise aside."""
        return sum(
            1 for found in self.pairs if found.interval and advantage(self.claim, found.interval.mean) > 0
        )

    @property
    def rests_on_one_seed(self) -> bool:
        """Whether more is not known for no other reason than that."""
        return self.verdict == INCONCLUSIVE and self.interval is not None and self.interval.seeds == 1

    @property
    def reason(self) -> str:
        """Why it was not tested, or not decided for want of seeds; empty otherwise."""
        if self.claim.untestable or self.rests_on_one_seed:
            return self.claim.untestable or ONE_SEED
        missing = dict.fromkeys(found.missing for found in self.pairs if found.missing)
        return "; ".join(missing) if self.verdict == NOT_TESTED else ""

    @property
    def certainty(self) -> str:
        """What the interval covers, in words."""
        return "" if self.interval is None else covered(self.claim, self.interval)

    @property
    def more_seeds(self) -> int | None:
        """Seeds to add until an inconclusive claim would be decided, at the observed mean and spread.

        One at least where the spread is unknown; None where it is decided, or no number suffices.
        """
        found = self.interval
        if self.verdict != INCONCLUSIVE or found is None:
            return None
        if found.spread is None:
            return 1
        needed = seeds_needed(found, abs(advantage(self.claim, found.mean)))
        return None if needed is None else max(1, needed - found.seeds)

    @property
    def source(self) -> str:
        """The table or figure, without the publication, which its own words name where it is another one."""
        return ", ".join(self.claim.source.split(", ")[PUBLICATION_PARTS:])

    def as_plain(self) -> dict[str, Any]:
        """Everything as plain values."""
        claim, found = self.claim, self.shown
        return {
            "name": claim.name,
            "claim": claim.text,
            "source": claim.source,
            "where": claim.where,
            "scale": self.scale,
            "verdict": self.verdict,
            "quantity": claim.quantity,
            "relation": claim.relation,
            "margin": claim.margin or None,
            "ours": found and found.mean,
            "low": found and found.low,
            "high": found and found.high,
            "paper": None if self.size is None else self.size + claim.level,
            "printed": [printed.text for printed in claim.printed],
            "contradictions": list(self.contradictions),
            "remark": claim.remark,
            "pairs": len(claim.pairs),
            "pairs_measured": sum(1 for each in self.pairs if each.interval),
            "pairs_as_claimed": self.holding,
            "weakest_pair": self.weakest and named(self.weakest.pair),
            "seeds": found.seeds if found else 0,
            "identities": found.identities if found else 0,
            "covers": self.certainty,
            "more_seeds": self.more_seeds,
            "reason": self.reason,
            "command": self.command,
        }


def named(pair: Comparison) -> str:
    """The pair by its rows."""
    if pair.second is None:
        return pair.first.row
    first, second = (row_of(run) for run in (pair.first, pair.second))
    return (
        f"{first}, {pair.first.group} to {pair.second.group}" if first == second else f"{first} to {second}"
    )


def covered(claim: Claim, interval: Interval) -> str:
    """What an interval is certain of, in words."""
    seeds = f"{interval.seeds} seed{'s' if interval.seeds > 1 else ''}"
    if interval.seeds > 1:
        return f"queries and {seeds}" if interval.identities else seeds
    if interval.pooled_from_other_runs:
        return (
            "queries; 1 seed, spread of other runs" if interval.identities else "1 seed, spread of other runs"
        )
    if claim.is_saving:
        return "a count of 1 seed"
    return "queries of 1 seed only" if interval.identities else "1 seed, no interval"


def row_of(run: RunRef) -> str:
    """The run by its row."""
    return f"teacher of {run.row}" if run.role == "teacher" else run.row


def advantage(claim: Claim, mean: float) -> float:
    """How far a mean is on the claim's side of its limit."""
    return claim.margin - abs(mean) if claim.relation == "same" else mean + claim.margin


def _strength(claim: Claim, found: PairVerdict) -> tuple[int, float]:
    order = (CONTRADICTED, INCONCLUSIVE, REPRODUCED)
    mean = found.interval.mean if found.interval else 0.0
    return order.index(found.verdict), advantage(claim, mean)
