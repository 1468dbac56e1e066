"""The five words of every verdict, what they mean wherever they are printed, and the limits behind them."""

from collections.abc import Mapping

SIZE_TOLERANCE = 0.1
"""By which a cost may differ from the paper's, as a share of it."""
LEAST_SHARE = 0.05
"""Of the way from random to perfect rankings: one epoch gives any network a share of this."""

REPRODUCED = "reproduced"
DIRECTION = "direction confirmed, size differs"
INCONCLUSIVE = "inconclusive"
CONTRADICTED = "contradicted"
NOT_TESTED = "not tested"
MEANINGS: Mapping[str, str] = {
    REPRODUCED: "the interval of our difference lies on the claimed side and holds the paper's size",
    DIRECTION: "it lies on the claimed side without that size",
    INCONCLUSIVE: "it holds both sides, or rests on one seed",
    CONTRADICTED: "it lies on the other side",
    NOT_TESTED: "a run is missing or near chance, or nothing can be run",
}
VERDICTS = tuple(MEANINGS)
NAMES = ("reproduced", "direction", "inconclusive", "contradicted", "untested")
CODES = dict(zip(VERDICTS, NAMES, strict=True))
"""Their names where a word has no spaces: classes of a page."""
EXPLANATION = "; ".join(f"{word}: {meaning}" for word, meaning in MEANINGS.items()).capitalize() + "."
