"""Verdicts on the papers' claims at a scale, from the recorded runs alone.

Of a claim that one run is above another, the interval of the difference decides: wholly above zero is the
claimed direction, wholly at or below zero contradicts it, and one that holds zero is inconclusive. Where the
direction holds, the paper's size inside the interval makes it reproduced; a claim without a size needs the
direction alone. "No less" and "same" are reproduced where the interval is wholly within their margin,
contradicted where it is wholly outside.

Costs are counts: compared by the percentage saved, over seeds alone; their size is the paper's if that is in
the interval or within `SIZE_TOLERANCE` of it, whichever is wider.

No verdict rests on one seed: its interval, widened by the spread that other runs of the scale have over seeds
under the same metric, is shown and the claim stays inconclusive. Only where no seed changes what is compared,
the costs of two networks that are not pruned, one is enough. A run near chance is evidence of nothing.

A claim of several pairs is reproduced if each pair has the direction and the weakest one the size, and
contradicted if one pair is.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from experiments import registry
from experiments.schema.claim import Claim, Comparison
from reproduce.claims.chance import near_chance
from reproduce.claims.measures import differences
from reproduce.claims.published_effects import inconsistent, published_size
from reproduce.claims.seed_variance import PooledSeedStd, is_cost
from reproduce.evidence.run_lookup import ClaimRun, RunLookup, runs_of
from reproduce.statistics.claim_verdict import ClaimVerdict, PairVerdict, row_of
from reproduce.statistics.intervals import Interval, interval_of
from reproduce.statistics.verdicts import (
    CONTRADICTED,
    DIRECTION,
    INCONCLUSIVE,
    NOT_TESTED,
    REPRODUCED,
    SIZE_TOLERANCE,
)

MOST_SEEDS_NAMED = 10
SEEDS = range(10)
Sides = tuple[ClaimRun, ClaimRun | None]


def evaluate_claims(
    claims: Iterable[Claim], evidence: RunLookup, seeds: Sequence[int] = SEEDS
) -> list[ClaimVerdict]:
    """Every claim with its verdict, in their order.

    Args:
        claims: of the sources.
        evidence: the records of one scale.
        seeds: that may be used; a pair is compared over those that both its runs have.

    Raises:
        ValueError: for a damaged record, or a claim about a row that does not exist.
    """
    judge = _Judge(evidence, seeds)
    return [judge.claim(claim) for claim in claims]


def judged_rows(artifact: str, evidence: RunLookup) -> tuple[ClaimVerdict, ...]:
    """The claims that compare rows of an artifact, as the ledger of this evidence judges them.

    Raises:
        ValueError: for a damaged record.
    """
    claims = [
        claim for claim in registry.claims() if any(run.artifact == artifact for run in runs_of([claim]))
    ]
    return tuple(evaluate_claims(claims, evidence))


class _Judge:
    """One scale's records, and the seeds that may be used."""

    def __init__(self, evidence: RunLookup, seeds: Sequence[int]):
        self.evidence, self.seeds = evidence, seeds
        self.spreads = PooledSeedStd(evidence, seeds)
        self._near_chance: dict[tuple[str, ...], str] = {}

    def claim(self, claim: Claim) -> ClaimVerdict:
        """With its verdict, and what would decide it."""
        found = ClaimVerdict(
            claim=claim,
            scale=self.evidence.scale,
            verdict=NOT_TESTED,
            pairs=tuple(self._pair(claim, pair) for pair in claim.pairs),
            size=published_size(claim, self.evidence),
            contradictions=tuple(inconsistent(claim, self.evidence)),
        )
        found = replace(found, verdict=_together(found))
        return replace(found, command=_command(found, self.evidence))

    def _pair(self, claim: Claim, pair: Comparison) -> PairVerdict:
        copied = [run.row for run in pair.runs if self.evidence.recipe(run, 0) is None]
        if copied:
            missing = (
                f"the paper copied the figures of {copied[0]} from a publication; nothing can be trained"
            )
            return PairVerdict(pair=pair, verdict=NOT_TESTED, missing=missing)
        sides = {seed: both for seed in self.seeds if (both := self._both(pair, seed))}
        found = differences(claim.measure, sides) if claim.measure else {}
        if not found or claim.measure is None:
            missing = self._missing(pair, sides)
            return PairVerdict(pair=pair, verdict=NOT_TESTED, missing=missing, can_be_run=True)
        if guessed := self._without_evidence(pair, [sides[seed] for seed in found]):
            return PairVerdict(pair=pair, verdict=NOT_TESTED, missing=guessed)
        spread = self.spreads.of(claim.measure, *sides[min(found)])
        interval = interval_of(found, pooled_from_other_runs=spread, level=claim.level)
        is_exact = is_cost(claim.measure) and not any(
            run.record.channels for seed in found for run in sides[seed] if run
        )
        verdict = _verdict(claim, interval) if interval.seeds > 1 or is_exact else INCONCLUSIVE
        return PairVerdict(pair=pair, verdict=verdict, interval=interval)

    def _both(self, pair: Comparison, seed: int) -> Sides | None:
        of = self.evidence.of(pair.first, seed)
        than = self.evidence.of(pair.second, seed) if pair.second else None
        return (of, than) if of and (than or not pair.second) else None

    def _missing(self, pair: Comparison, sides: Mapping[int, Sides]) -> str:
        if any(than and of.digest != than.digest for of, than in sides.values()):
            return "the runs were judged on different data"
        if sides:
            return "its runs do not have this figure"
        lacking = [run for run in pair.runs if not any(self.evidence.of(run, seed) for seed in self.seeds)]
        return f"not run: {', '.join(map(row_of, lacking))}" if lacking else "no seed has both runs"

    def _without_evidence(self, pair: Comparison, sides: Sequence[Sides]) -> str:
        """Which of the two are near chance, for people; empty for none."""
        found = []
        for run, column in zip(pair.runs, zip(*sides, strict=True), strict=False):
            runs = [each for each in column if each]
            key = (runs[0].protocol, *(each.record.run_id for each in runs))
            if key not in self._near_chance:
                self._near_chance[key] = near_chance(runs)
            if self._near_chance[key]:
                found.append(f"{row_of(run)} is near chance: {self._near_chance[key]}")
        return "; ".join(found)


def _verdict(claim: Claim, interval: Interval) -> str:
    """Of one pair, its size left aside."""
    if claim.relation == "same":
        if -claim.margin < interval.low and interval.high < claim.margin:
            return REPRODUCED
        outside = interval.low >= claim.margin or interval.high <= -claim.margin
        return CONTRADICTED if outside else INCONCLUSIVE
    if interval.low > -claim.margin:
        return REPRODUCED
    return CONTRADICTED if interval.high <= -claim.margin else INCONCLUSIVE


def _together(found: ClaimVerdict) -> str:
    verdicts = [each.verdict for each in found.pairs]
    for verdict in (CONTRADICTED, NOT_TESTED, INCONCLUSIVE):
        if verdict in verdicts or not verdicts:
            return verdict if verdicts else NOT_TESTED
    if found.claim.relation != "more" or found.size is None or found.interval is None:
        return REPRODUCED
    tolerance = SIZE_TOLERANCE * abs(found.size) if found.claim.is_saving else 0.0
    low = min(found.interval.low, found.interval.mean - tolerance)
    high = max(found.interval.high, found.interval.mean + tolerance)
    return REPRODUCED if low <= found.size <= high else DIRECTION


def _command(found: ClaimVerdict, evidence: RunLookup) -> str:
    """What trains the missing runs, or the seeds that would decide the claim; empty where nothing would."""
    lacking = [each.pair for each in found.pairs if each.can_be_run]
    seeds = ""
    if not lacking and found.more_seeds and found.weakest and found.interval:
        wanted = found.interval.seeds + found.more_seeds
        lacking = [found.weakest.pair] if wanted <= MOST_SEEDS_NAMED else []
        seeds = f" --seeds {','.join(map(str, range(wanted)))}"
    names = dict.fromkeys(run.artifact for pair in lacking for run in pair.runs)
    if not names:
        return ""
    data = " --data-root DIR" if evidence.scale == "paper" else ""
    changes = "".join(f" --set {shlex.quote(text)}" for text in evidence.overrides.texts)
    return f"python -m reproduce {' '.join(names)} --scale {evidence.scale}{seeds}{data}{changes}"
