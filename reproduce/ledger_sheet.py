"""The judged claims as a sheet, which is written as any table is: counts first, then source by source."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reproduce.artifact import Scale
from reproduce.caption import SCALE_TEXTS
from reproduce.cells import number_text
from reproduce.judged_claim import UNCLEAR, VERDICTS, JudgedClaim
from reproduce.judgement import SIZE_TOLERANCE
from reproduce.paired_bootstrap import CONFIDENCE
from reproduce.table import Block, Sheet

NAME = "claims"
ALL = "all"
HEADINGS = ("verdict", "ours", "interval", "paper", "pairs", "interval over", "seeds to add")
RULES = (
    f"The interval of a difference has {CONFIDENCE:.0%} confidence: a bootstrap over identities, whose "
    "queries are drawn together, and Student's spread over paired seeds. Tables judge by seeds alone; so "
    "does this where a record does not have the answers to single queries.",
    "Reproduced: the paper's direction and size are in the interval; direction only: its size is not; "
    "indistinguishable: the interval holds both directions; contradicted: it is wholly on the other side. "
    f"The size of a cost counts as the paper's within {SIZE_TOLERANCE:.0%} of it.",
    "Costs are the percentage that the first saves, accuracies its difference in points. A claim over "
    "several pairs is shown by its weakest one; pairs: those whose mean is as claimed, of all.",
    "One seed: the interval is widened by the spread over seeds that other runs of this scale have under the "
    'same metric. Where it is over "queries of 1 seed only", no such run has several seeds, and another '
    "training may turn out otherwise.",
)
NO_NUMBER = "Seeds to add, no number: the queries alone are too few to tell a difference of this size."


def counts(claims: Iterable[JudgedClaim]) -> dict[str, int]:
    """How many claims have each verdict, all of them named."""
    found = Counter(judged.verdict for judged in claims)
    return {verdict: found[verdict] for verdict in VERDICTS}


def sheet(claims: list[JudgedClaim], scale: Scale) -> Sheet:
    """The ledger of one scale."""
    title = f"Claims of the sources, judged at the {scale} scale"
    blocks = [Block("Verdicts", _counted(claims))]
    for source, found in _by_source(claims).items():
        blocks.append(Block(found[0].claim.source, _grid(source, found)))
    notes = [f"Scale {scale}: {SCALE_TEXTS[scale]}.", *RULES, *_notes(claims)]
    return Sheet(name=NAME, title=title, blocks=tuple(blocks), notes=tuple(notes), numbers=_numbers(claims))


def as_plain(claims: list[JudgedClaim], scale: Scale) -> dict[str, Any]:
    """The ledger as plain values."""
    return {"scale": scale, "verdicts": counts(claims), "claims": [judged.as_plain() for judged in claims]}


def _by_source(claims: list[JudgedClaim]) -> dict[str, list[JudgedClaim]]:
    """Claims of one source together, sources as they come first."""
    found: dict[str, list[JudgedClaim]] = {}
    for judged in claims:
        found.setdefault(judged.source, []).append(judged)
    return found


def _counted(claims: list[JudgedClaim]) -> pd.DataFrame:
    rows = {**_by_source(claims), ALL: claims}
    return pd.DataFrame(
        [[str(len(found)), *map(str, counts(found).values())] for found in rows.values()],
        index=pd.MultiIndex.from_tuples([(name,) for name in rows], names=["Source"]),
        columns=pd.MultiIndex.from_product([[""], ["claims", *VERDICTS]]),
    )


def _grid(source: str, claims: list[JudgedClaim]) -> pd.DataFrame:
    index = [(judged.claim.text, judged.claim.quantity) for judged in claims]
    return pd.DataFrame(
        [_cells(judged) for judged in claims],
        index=pd.MultiIndex.from_tuples(index, names=["Claim", "figure"]),
        columns=pd.MultiIndex.from_product([[source], HEADINGS]),
    )


def _cells(judged: JudgedClaim) -> list[str]:
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


def _seeds_to_add(judged: JudgedClaim) -> str:
    found = judged.interval
    if judged.verdict != UNCLEAR or found is None:
        return "-"
    if judged.more_seeds is not None:
        return str(judged.more_seeds)
    return "unknown" if found.spread is None else "no number"


def _notes(claims: list[JudgedClaim]) -> list[str]:
    notes = [f"Contradictory: {each.claim.text}: {text}." for each in claims for text in each.contradictions]
    notes += [f"{each.claim.text}: {each.claim.remark}" for each in claims if each.claim.remark]
    reasons: dict[tuple[str, str], list[str]] = {}
    for judged in claims:
        if judged.reason:
            reasons.setdefault((judged.reason, judged.command), []).append(judged.claim.text)
    for (reason, command), texts in reasons.items():
        told = f" To test: {command}" if command else ""
        notes.append(f"Not tested ({'; '.join(texts)}): {reason}.{told}")
    if any(_seeds_to_add(judged) == "no number" for judged in claims):
        notes.append(
            "Seeds to add, no number: the queries alone are too few to tell a difference of this size."
        )
    return notes


def _numbers(claims: list[JudgedClaim]) -> pd.DataFrame:
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
