"""A block of a sheet as the cells of an HTML table: headings that span, row names that stand once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from reproduce.tables.rendered_table import Block
from reproduce.tables.text import headings, sparse, words_of


@dataclass(frozen=True)
class GridCell:
    """One cell.

    Attributes:
        scope: of a heading, as HTML names it; empty for a value.
        kind: how it looks: "number", "word", "empty", or "name" for what a body is about.
        label: heading of its column, for where the columns do not stand beside each other.
    """

    text: str
    scope: str = ""
    columns: int = 1
    rows: int = 1
    kind: str = "word"
    label: str = ""


Line = tuple[GridCell, ...]


@dataclass(frozen=True)
class HtmlGrid:
    """What a table of the page is made of.

    Attributes:
        bodies: lines that belong together, as ours, the paper's and the gap of one row.
    """

    title: str
    heads: tuple[Line, ...]
    bodies: tuple[tuple[Line, ...], ...]


def html_grid(block: Block) -> HtmlGrid:
    """The block's cells with their spans."""
    return HtmlGrid(block.title, tuple(_heads(block)), tuple(_bodies(block)))


def _heads(block: Block) -> Iterator[Line]:
    frame, kinds = block.frame, _kinds(block)
    groups = [str(column[0]) for column in frame.columns]
    # A group that the title names already is not said twice.
    if len(set(groups)) > 1 or not block.title.endswith(groups[0]):
        spans = ((name, len(list(found))) for name, found in groupby(groups))
        blank = GridCell("", columns=frame.index.nlevels, kind="empty")
        yield (blank, *(GridCell(name, "colgroup", columns=count) for name, count in spans))
    names = zip(headings(frame)[1], kinds, strict=True)
    yield tuple(GridCell(name, "col", kind=kind) for name, kind in names)


def _bodies(block: Block) -> Iterator[tuple[Line, ...]]:
    looks = list(zip(_kinds(block), headings(block.frame)[1], strict=True))
    for lines in _together(sparse(block.frame)):
        yield tuple(_line(lines, number, block.frame.index.nlevels, looks) for number in range(len(lines)))


def _line(lines: list[list[str]], number: int, keys: int, looks: list[tuple[str, str]]) -> Line:
    """The cells of one line, without names that a line above it has."""
    found = []
    for place, (text, (kind, label)) in enumerate(zip(lines[number], looks, strict=True)):
        if place >= keys:
            found.append(GridCell(text, kind=kind, label=label))
        elif number == 0 or text:
            found.append(GridCell(text, "row", rows=_height(lines, number, place), kind=kind, label=label))
    return tuple(found)


def _together(lines: list[list[str]]) -> Iterator[list[list[str]]]:
    """Lines up to the next one with a name of its own."""
    starts = [number for number, line in enumerate(lines) if line[0] or number == 0]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start:end]


def _height(lines: list[list[str]], number: int, place: int) -> int:
    """Lines that a name covers: those below it in which its place is empty."""
    count = 1
    while number + count < len(lines) and not lines[number + count][place]:
        count += 1
    return count


def _kinds(block: Block) -> list[str]:
    return ["name", *("word" if is_word else "number" for is_word in words_of(block)[1:])]
