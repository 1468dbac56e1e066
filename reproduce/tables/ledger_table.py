"""The judged claims as a sheet, which is written as any table is: counts first, then source by source."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from experiments.schema.scale import Scale
from reproduce.statistics.claim_verdict import ClaimVerdict
from reproduce.statistics.intervals import CONFIDENCE
from reproduce.statistics.verdicts import (
    EXPLANATION,
    INCONCLUSIVE,
    LEAST_SHARE,
    NOT_TESTED,
    SIZE_TOLERANCE,
    VERDICTS,
)
from reproduce.tables.caption import SCALE_TEXTS
from reproduce.tables.rendered_table import Block, RenderedTable, number_text

NAME = "claims"
ALL = "all"
BRIEF = ("verdict", "ours", "paper", "reference: verdict")
REFERENCE_HEADINGS = ("reference: verdict", "reference: value")
HEADINGS = ("verdict", "ours", "interval", "paper", "pairs", "interval over", "seeds to add")
INTERVALS = (
    f"The interval of a difference has {CONFIDENCE:.0%} confidence: a bootstrap over identities, whose "
    "queries are drawn together, and Student's spread over paired seeds; over seeds alone where a "
    "record does not have the answers to single queries."
)
RULES = (
    INTERVALS,
    EXPLANATION,
    f"The size of a cost counts as the paper's within {SIZE_TOLERANCE:.0%} of it. "
    "Costs are the percentage that the first saves, accuracies its difference in points. A claim over "
    "several pairs is shown by its weakest one; pairs: those whose mean is as claimed, of all.",
    "No verdict rests on one seed, but for the costs of networks that are not pruned, which no seed changes. "
    "The interval of one seed is widened by the spread over seeds that other runs of this scale have under "
    'the same metric; where it is over "queries of 1 seed only", no such run has several seeds.',
    f"Near chance is a run whose accuracy does not lie above {LEAST_SHARE:.0%} of the way from random to "
    "perfect rankings of the same queries, its interval included.",
)
SHOWN = f"Verdicts are those of the claims ledger ({NAME}.md), over all recorded seeds. {EXPLANATION}"
NO_NUMBER = "Seeds to add, no number: the queries alone are too few to tell a difference of this size."


def counts(claims: Iterable[ClaimVerdict]) -> dict[str, int]:
    """How many claims have each verdict, all of them named."""
    found = Counter(judged.verdict for judged in claims)
    return {verdict: found[verdict] for verdict in VERDICTS}


def counts_text(found: Mapping[str, int]) -> str:
    """The counts as a list whose entries may hold commas."""
    return "; ".join(f"{count} {verdict}" for verdict, count in found.items())


def sheet(claims: list[ClaimVerdict], scale: Scale, reference: Sequence[ClaimVerdict] = ()) -> RenderedTable:
    """The ledger of one scale; `reference` has the same claims judged by the committed runs."""
    title = f"Claims of the sources, judged at the {scale} scale"
    blocks = [_counted(claims)]
    for source, found in by_source(claims).items():
        blocks.append(_grid(found[0].claim.source, source, found, reference))
    notes = [f"Scale {scale}: {SCALE_TEXTS[scale]}.", *_agreement(claims, reference), *RULES, *_notes(claims)]
    return RenderedTable(
        name=NAME, title=title, blocks=tuple(blocks), notes=tuple(notes), numbers=_numbers(claims)
    )


def _agreement(claims: Sequence[ClaimVerdict], reference: Sequence[ClaimVerdict]) -> list[str]:
    """How many claims the user's runs and the committed ones decide alike; none without both."""
    beside = {judged.claim.name: judged.verdict for judged in reference}
    tested = [judged for judged in claims if judged.verdict != NOT_TESTED]
    same = sum(1 for judged in tested if judged.verdict == beside.get(judged.claim.name))
    text = f"Yours against the reference: one verdict for {same} of the {len(tested)} claims that yours test."
    return [text] if beside else []


def verdict_blocks(claims: Sequence[ClaimVerdict], reference: Sequence[ClaimVerdict] = ()) -> list[Block]:
    """What a table or figure prints of the claims about it, as the ledger does; empty for none.

    Args:
        claims: judged by whoever's runs are drawn.
        reference: the same, judged by the committed runs, where those stand beside.
    """
    return [
        _grid(f"Verdicts of the claims ledger: {found[0].claim.source}", source, found, reference)
        for source, found in by_source(claims).items()
    ]


def verdict_notes(claims: Sequence[ClaimVerdict]) -> list[str]:
    """What must be known to read them."""
    return [SHOWN, INTERVALS, *_notes(claims)] if claims else []


def has_verdicts(block: Block) -> bool:
    """Whether the block is a part of the ledger."""
    return block.brief == BRIEF


def as_plain(
    claims: list[ClaimVerdict], scale: Scale, reference: Sequence[ClaimVerdict] = ()
) -> dict[str, Any]:
    """The ledger as plain values; `reference` has the verdicts of the committed runs by the claims' names."""
    return {
        "scale": scale,
        "verdicts": counts(claims),
        "reference": {judged.claim.name: judged.verdict for judged in reference},
        "claims": [judged.as_plain() for judged in claims],
    }


def by_source(claims: Sequence[ClaimVerdict]) -> dict[str, list[ClaimVerdict]]:
    """Claims of one source together, sources as they come first."""
    found: dict[str, list[ClaimVerdict]] = {}
    for judged in claims:
        found.setdefault(judged.source, []).append(judged)
    return found


def _counted(claims: list[ClaimVerdict]) -> Block:
    rows = {
        (name,): [str(len(found)), *map(str, counts(found).values())]
        for name, found in {**by_source(claims), ALL: claims}.items()
    }
    return Block.of("Verdicts", rows, ("Source",), [("", name) for name in ("claims", *VERDICTS)])


def _grid(
    title: str, source: str, claims: list[ClaimVerdict], reference: Sequence[ClaimVerdict] = ()
) -> Block:
    beside = {judged.claim.name: judged for judged in reference}
    names = (*HEADINGS, *REFERENCE_HEADINGS) if beside else HEADINGS
    rows = {
        (judged.claim.text, judged.claim.quantity): [
            *_cells(judged),
            *(_reference_cells(beside[judged.claim.name]) if beside else ()),
        ]
        for judged in claims
    }
    found = Block.of(title, rows, ("Claim", "figure"), [(source, name) for name in names])
    return replace(found, brief=BRIEF)


def _reference_cells(judged: ClaimVerdict) -> list[str]:
    found = judged.shown
    value = "-" if found is None else number_text(found.mean, 2, signed=not judged.claim.level)
    return [judged.verdict, f"{value} ({found.seeds if found else 0} seeds)"]


def _cells(judged: ClaimVerdict) -> list[str]:
    found, claim = judged.shown, judged.claim
    signed = not claim.level
    size = None if judged.size is None else judged.size + claim.level
    paper = number_text(size, 2, signed=signed) + (" (contradictory)" if judged.contradictions else "")
    if found is None:
        return [judged.verdict, "-", "-", paper, "-", "-", "-"]
    low, high = (number_text(value, 2, signed=signed) for value in (found.low, found.high))
    return [
        judged.verdict,
        number_text(found.mean, 2, signed=signed),
        f"{low} to {high}",
        paper,
        f"{judged.holding} of {len(claim.pairs)}",
        judged.certainty,
        _seeds_to_add(judged),
    ]


def _seeds_to_add(judged: ClaimVerdict) -> str:
    found = judged.interval
    if judged.verdict != INCONCLUSIVE or found is None:
        return "-"
    if judged.more_seeds is None:
        return "no number"
    return f"{judged.more_seeds}{' or more' if found.spread is None else ''}"


def _notes(claims: Sequence[ClaimVerdict]) -> list[str]:
    notes = [f"Contradictory: {each.claim.text}: {text}." for each in claims for text in each.contradictions]
    notes += [f"{each.claim.text}: {each.claim.remark}" for each in claims if each.claim.remark]
    reasons: dict[tuple[str, str], list[str]] = {}
    for judged in claims:
        if judged.verdict == NOT_TESTED:
            reasons.setdefault((judged.reason, judged.command), []).append(judged.claim.text)
    for (reason, command), texts in reasons.items():
        told = f" To test: {command}" if command else ""
        notes.append(f"Not tested ({'; '.join(texts)}): {reason}.{told}")
    return notes + [NO_NUMBER] * any(_seeds_to_add(judged) == "no number" for judged in claims)


def _numbers(claims: list[ClaimVerdict]) -> pd.DataFrame:
    return pd.DataFrame([_flat(judged.as_plain()) for judged in claims])


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Six significant digits, and lists as one text."""
    return {
        key: "; ".join(value)
        if isinstance(value, list)
        else float(f"{value:.6g}")
        if isinstance(value, float)
        else value
        for key, value in values.items()
    }
