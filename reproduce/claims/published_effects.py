"""The sources' own figures for a claim: the size that their rows give, and texts that say something else."""

from collections.abc import Iterator

from experiments.schema.claim import Claim, Comparison, FinalMetric
from experiments.schema.table import Column
from reproduce.evidence.run_lookup import RunLookup

MINUS = "\u2212"
PRINTED_ROUNDING = 0.05
"""Points or percent: texts print one decimal or more of what they compare."""


def published_size(claim: Claim, evidence: RunLookup) -> float | None:
    """The paper's difference or saving, of its weakest pair; a text's where the rows have no figures."""
    if claim.size is not None:
        return claim.size
    sizes = [size for size, _ in _of_rows(claim, evidence)]
    if sizes and len(sizes) == len(claim.pairs):
        return min(sizes)
    return claim.printed[0].value if claim.printed and not claim.untestable else None


def inconsistent(claim: Claim, evidence: RunLookup) -> Iterator[str]:
    """Every printed figure that differs from what the rows give by more than their rounding."""
    found = list(_of_rows(claim, evidence))
    if len(found) != len(claim.pairs) or not found or claim.size is not None:
        return
    size, slack = min(found)
    for printed in claim.printed:
        if abs(printed.value - size) > slack + PRINTED_ROUNDING:
            unit = "% saved" if claim.is_saving else "points"
            yield (
                f"{printed.where} prints {printed.text}; the rows give {_signed(size)} {unit}"
                + (f", the text {_signed(printed.value)}" if claim.is_saving else "")
            )


def _of_rows(claim: Claim, evidence: RunLookup) -> Iterator[tuple[float, float]]:
    """Size and rounding error of every pair whose rows have the paper's figures."""
    if not isinstance(claim.measure, FinalMetric):
        return
    for pair in claim.pairs:
        size = _of_pair(pair, claim.measure.column, evidence)
        if size:
            yield size


def _of_pair(pair: Comparison, column: Column, evidence: RunLookup) -> tuple[float, float] | None:
    first = evidence.published(pair.first, column.name)
    second = evidence.published(pair.second, column.name) if pair.second else None
    if first is None or second is None:
        return None
    error = 0.5 * 10.0**-column.decimals
    if column.relative == "difference":
        return first - second, 2 * error
    return 100 * (1 - first / second), 100 * error * (1 / second + first / second**2)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
