"""A block whose lines for measured and published numbers become columns: one line per row of the paper."""

import pandas as pd

from reproduce.tables.cells import REPORTED

EMPTY = "-"
KINDS = ("yours", "reference", "paper", "gap")


def side_by_side(frame: pd.DataFrame) -> pd.DataFrame:
    """The same cells, with the last level of the index below each column.

    Args:
        frame: lines named in the last level by kind: those that begin with "yours" or "reference", "paper",
            perhaps "gap", or "reported" alone; columns of one group.
    """
    lines: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for index, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        *key, kind = index
        lines.setdefault(tuple(key), {})[str(kind).partition(" ")[0]] = cells
    kinds = [kind for kind in KINDS if any(kind in found for found in lines.values())]
    rows = [_row(found, kinds, len(frame.columns)) for found in lines.values()]
    columns = [(str(column[1]), kind) for column in frame.columns for kind in kinds]
    index = pd.MultiIndex.from_tuples(list(lines), names=frame.index.names[:-1])
    return pd.DataFrame(rows, index=index, columns=pd.MultiIndex.from_tuples(columns))


def _row(found: dict[str, list[str]], kinds: list[str], width: int) -> list[str]:
    if REPORTED in found:
        published = found[REPORTED]
        measured = [EMPTY if text == EMPTY else REPORTED for text in published]
        found = {"yours": measured, "reference": measured, "paper": published}
    empty = [EMPTY] * width
    return [found.get(kind, empty)[place] for place in range(width) for kind in kinds]
