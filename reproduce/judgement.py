"""Whether the claims of the sources hold at a scale, judged by what this suite has measured and nothing else.

Of a claim that one run is above another, the interval of the difference decides: wholly above zero is the
claimed direction, wholly at or below zero contradicts it, and one that holds zero tells nothing. Where the
direction holds, the paper's size inside the interval makes it `reproduced`, otherwise `direction only`; a
claim without a size needs the direction alone. "No less" and "same" are reproduced where the interval is
wholly within their margin, contradicted where it is wholly outside.

Costs are counts: compared by the percentage saved, over seeds alone; their size is the paper's if that is in
the interval or within `SIZE_TOLERANCE` of it, whichever is wider. A network that is not pruned has one count.

A claim of several pairs is reproduced if each pair has the direction and the weakest one the size, and
contradicted if one pair is. One seed's interval is widened by the spread that other runs of the scale have
over seeds under the same metric; where none has several seeds, the verdict is on these trainings alone and
says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reproduce.claim import Measure, Pair, PublishedClaim
from reproduce.evidence import Evidence, RunEvidence
from reproduce.judged_claim import (
    CONTRADICTED,
    DIRECTION,
    NOT_TESTED,
    REPRODUCED,
    UNCLEAR,
    JudgedClaim,
    JudgedPair,
    row_of,
)
from reproduce.measurement import Difference, difference
from reproduce.paired_bootstrap import Interval, Spread, paired_interval, seed_interval
from reproduce.published import inconsistent, published_size
from reproduce.spreads import Spreads

SIZE_TOLERANCE = 0.1
MOST_SEEDS_NAMED = 10
Sides = tuple[RunEvidence, RunEvidence | None]


def judged(
    claims: Iterable[PublishedClaim], evidence: Evidence, seeds: Sequence[int] = range(10)
) -> list[JudgedClaim]:
    """Every claim with its verdict, in their order.

    Args:
        claims: of the sources.
        evidence: the records of one scale.
        seeds: that may be used; a pair is compared over those that both its runs have.

    Raises:
        ValueError: for a damaged record, or a claim about a row that does not exist.
    """
    listed = list(claims)
    spreads = Spreads(listed, evidence, seeds)
    return [_judged(claim, evidence, seeds, spreads) for claim in listed]


def _judged(claim: PublishedClaim, evidence: Evidence, seeds: Sequence[int], spreads: Spreads) -> JudgedClaim:
    pairs = tuple(_compared(claim, pair, evidence, seeds, spreads) for pair in claim.pairs)
    found = JudgedClaim(
        claim=claim,
        scale=evidence.scale,
        verdict=NOT_TESTED,
        pairs=pairs,
        size=published_size(claim, evidence),
        contradictions=tuple(inconsistent(claim, evidence)),
    )
    found = replace(found, verdict=_together(found))
    return replace(found, command=_command(found, evidence))


def _compared(
    claim: PublishedClaim, pair: Pair, evidence: Evidence, seeds: Sequence[int], spreads: Spreads
) -> JudgedPair:
    copied = _copied(pair, evidence)
    if copied:
        missing = f"the paper copied the figures of {copied[0]} from a publication; nothing can be trained"
        return JudgedPair(pair=pair, verdict=NOT_TESTED, missing=missing)
    sides = {seed: both for seed in seeds if (both := _both(pair, evidence, seed))}
    found = _differences(claim.measure, sides) if claim.measure else {}
    if not found or claim.measure is None:
        return JudgedPair(pair=pair, verdict=NOT_TESTED, missing=_missing(pair, evidence, seeds, sides))
    spread = spreads.of(claim.measure, *sides[min(found)])
    interval = _interval(found, spread, claim.level)
    return JudgedPair(pair=pair, verdict=_verdict(claim, interval), interval=interval)


def _differences(measure: Measure, sides: Mapping[int, Sides]) -> dict[int, Difference]:
    """By seed, where both runs have the figure and were judged on the same data."""
    found = {
        seed: difference(measure, of, than)
        for seed, (of, than) in sides.items()
        if than is None or of.digest == than.digest
    }
    return {seed: value for seed, value in found.items() if value}


def _missing(pair: Pair, evidence: Evidence, seeds: Sequence[int], sides: Mapping[int, Sides]) -> str:
    if any(than and of.digest != than.digest for of, than in sides.values()):
        return "the runs were judged on different data"
    if sides:
        return "its runs do not have this figure"
    lacking = [run for run in pair.runs if not any(evidence.of(run, seed) for seed in seeds)]
    return f"not run: {', '.join(map(row_of, lacking))}" if lacking else "no seed has both runs"


def _both(pair: Pair, evidence: Evidence, seed: int) -> Sides | None:
    of = evidence.of(pair.of, seed)
    than = evidence.of(pair.than, seed) if pair.than else None
    return (of, than) if of and (than or not pair.than) else None


def _interval(found: Mapping[int, Difference], borrowed: Spread | None, level: float) -> Interval:
    """Of what the claim says is above zero."""
    queries = {seed: value.by_query - level for seed, value in found.items() if value.by_query is not None}
    identities = next((value.identities for value in found.values() if value.identities is not None), None)
    if identities is not None and len(queries) == len(found):
        return paired_interval(queries, identities, borrowed=borrowed)
    return seed_interval({seed: value.value - level for seed, value in found.items()}, borrowed=borrowed)


def _verdict(claim: PublishedClaim, interval: Interval) -> str:
    """Of one pair, its size left aside."""
    if not claim.is_saving and interval.spread is None and interval.queries is None:
        return UNCLEAR
    if claim.relation == "same":
        if -claim.margin < interval.low and interval.high < claim.margin:
            return REPRODUCED
        outside = interval.low >= claim.margin or interval.high <= -claim.margin
        return CONTRADICTED if outside else UNCLEAR
    if interval.low > -claim.margin:
        return REPRODUCED
    return CONTRADICTED if interval.high <= -claim.margin else UNCLEAR


def _together(found: JudgedClaim) -> str:
    verdicts = [each.verdict for each in found.pairs]
    for verdict in (CONTRADICTED, NOT_TESTED, UNCLEAR):
        if verdict in verdicts or not verdicts:
            return verdict if verdicts else NOT_TESTED
    if found.claim.relation != "more" or found.size is None or found.interval is None:
        return REPRODUCED
    tolerance = SIZE_TOLERANCE * abs(found.size) if found.claim.is_saving else 0.0
    low = min(found.interval.low, found.interval.mean - tolerance)
    high = max(found.interval.high, found.interval.mean + tolerance)
    return REPRODUCED if low <= found.size <= high else DIRECTION


def _copied(pair: Pair, evidence: Evidence) -> list[str]:
    """Rows of the pair that have no recipe."""
    return [run.row for run in pair.runs if evidence.recipe(run, 0) is None]


def _command(found: JudgedClaim, evidence: Evidence) -> str:
    """What trains the missing runs, or the seeds that an unclear claim needs; empty where nothing would."""
    lacking = [each.pair for each in found.pairs if each.missing and not _copied(each.pair, evidence)]
    seeds = ""
    if not lacking and found.more_seeds and found.weakest and found.interval:
        wanted = found.interval.seeds + found.more_seeds
        lacking = [found.weakest.pair] if wanted <= MOST_SEEDS_NAMED else []
        seeds = f" --seeds {','.join(map(str, range(wanted)))}"
    names = dict.fromkeys(run.artifact for pair in lacking for run in pair.runs)
    if not names:
        return ""
    data = " --data-root DIR" if evidence.scale == "paper" else ""
    return f"python -m reproduce {' '.join(names)} --scale {evidence.scale}{seeds}{data}"
