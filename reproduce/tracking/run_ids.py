"""Run ids as people give them: whole, or as much of the beginning as only one run has."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from reproduce.errors import UsageError

RUN_ID_LENGTH = 12
NAMED = 5
"""Run ids that a message names."""


def only_run(text: str, known: Iterable[str], results: Path) -> str:
    """The one known run id that begins with the text.

    Raises:
        UsageError: if none does or several do, with those that come nearest.
    """
    ids = sorted(known)
    if not ids:
        raise UsageError(
            f"no run {text!r}: neither {results} nor its tracking store has any run. Train one, for example "
            "with `python -m reproduce table1`, or name another folder with --results"
        )
    matching = [name for name in ids if name.startswith(text.lower())]
    if len(matching) > 1:
        raise UsageError(
            f"{len(matching)} runs begin with {text!r}: {_some(matching)}. Give more of their "
            f"{RUN_ID_LENGTH} digits"
        )
    if not matching:
        near = difflib.get_close_matches(text.lower(), ids, n=NAMED, cutoff=0.4)
        raise UsageError(
            f"no run {text!r} in {results} or its tracking store: a run is named by its {RUN_ID_LENGTH} "
            f"hexadecimal digits or the first of them. Nearest: {_some(near or ids)}. "
            "`python -m reproduce plan ARTIFACT` shows the runs of an artifact"
        )
    return matching[0]


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:NAMED]) + (", ..." if len(ids) > NAMED else "")
