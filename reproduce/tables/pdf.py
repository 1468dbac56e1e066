"""A sheet as one PDF page: vector, fonts embedded as Type 42, the same bytes for the same numbers."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.lines import Line2D

from reproduce.tables.sheet import Block, Sheet
from reproduce.tables.text import headings, sparse

FONT, SIZE, SMALL, LARGE = "STIXGeneral", 9.0, 8.0, 12.0
LINE, GAP, MARGIN = 13.0, 11.0, 36.0  # points
THICK, THIN, HAIR = 0.9, 0.5, 0.25
POINTS_PER_INCH = 72.0
BOLD_WIDENS = 1.08
SUBPIXELS = 64  # units of a font's metrics in a pixel
SETTINGS: Any = {"pdf.fonttype": 42, "font.family": FONT, "pdf.compression": 6, "text.usetex": False}


@dataclass(frozen=True)
class _Text:
    x: float
    y: float
    text: str
    size: float = SIZE
    align: str = "left"
    bold: bool = False


@dataclass(frozen=True)
class _Rule:
    left: float
    right: float
    y: float
    width: float


@dataclass
class _Canvas:
    """What is drawn, in points from the upper left corner; the page takes its size from it."""

    texts: list[_Text] = field(default_factory=list)
    rules: list[_Rule] = field(default_factory=list)
    y: float = 0.0


def page(sheet: Sheet) -> bytes:
    """The PDF file of the sheet."""
    canvas = _Canvas(y=MARGIN + LARGE)
    widths = [_widths(block.frame) for block in sheet.blocks]
    width = max(sum(found) + GAP * (len(found) - 1) for found in widths)
    for number, line in enumerate(_wrapped(sheet.title, width / BOLD_WIDENS, LARGE)):
        canvas.y += number and LARGE + 3
        canvas.texts.append(_Text(MARGIN, canvas.y, line, LARGE, bold=True))
    for block, columns in zip(sheet.blocks, widths, strict=True):
        canvas.y += 2 * LINE
        _block(canvas, block, _stretched(columns, block.frame.index.nlevels, width))
    canvas.y += LINE / 2
    for note in sheet.notes:
        for line in _wrapped(note, width):
            canvas.y += SMALL + 3
            canvas.texts.append(_Text(MARGIN, canvas.y, line, SMALL))
    return _pdf(canvas, width + 2 * MARGIN, canvas.y + MARGIN)


def _block(canvas: _Canvas, block: Block, widths: list[float]) -> None:
    frame = block.frame
    keys = frame.index.nlevels
    lefts = [MARGIN + sum(widths[:place]) + GAP * place for place in range(len(widths))]
    right = lefts[-1] + widths[-1]
    canvas.texts.append(_Text(MARGIN, canvas.y, block.title, bold=True))
    canvas.y += LINE / 2
    canvas.rules.append(_Rule(MARGIN, right, canvas.y, THICK))
    canvas.y += LINE
    for name, first, last in _spans(frame):
        left, end = lefts[keys + first], lefts[keys + last] + widths[keys + last]
        canvas.texts.append(_Text((left + end) / 2, canvas.y, name, align="center"))
        canvas.rules.append(_Rule(left, end, canvas.y + LINE / 3, THIN))
    canvas.y += LINE * 1.2
    names = headings(frame)[1]
    _line(canvas, names, lefts, widths, keys)
    canvas.rules.append(_Rule(MARGIN, right, canvas.y + LINE / 3, THIN))
    canvas.y += LINE / 3
    body = sparse(frame)
    grouped = any(not cells[0] for cells in body)
    for number, cells in enumerate(body):
        if number and cells[0] and grouped:
            canvas.rules.append(_Rule(MARGIN, right, canvas.y + LINE / 3, HAIR))
            canvas.y += LINE / 3
        canvas.y += LINE
        _line(canvas, cells, lefts, widths, keys)
    canvas.y += LINE / 3
    canvas.rules.append(_Rule(MARGIN, right, canvas.y, THICK))


def _line(canvas: _Canvas, cells: list[str], lefts: list[float], widths: list[float], keys: int) -> None:
    for place, text in enumerate(cells):
        if place < keys:
            canvas.texts.append(_Text(lefts[place], canvas.y, text))
        else:
            canvas.texts.append(_Text(lefts[place] + widths[place], canvas.y, text, align="right"))


def _spans(frame: pd.DataFrame) -> Iterator[tuple[str, int, int]]:
    """Each group's heading with the places of its first and last column."""
    for group, places in groupby(range(len(frame.columns)), key=lambda place: str(frame.columns[place][0])):
        found = list(places)
        yield group, found[0], found[-1]


def _widths(frame: pd.DataFrame) -> list[float]:
    """Room that every column needs, group headings included."""
    lines = [headings(frame)[1], *sparse(frame)]
    widths = [max(_measure(line[place]) for line in lines) for place in range(len(lines[0]))]
    keys = frame.index.nlevels
    for name, first, last in _spans(frame):
        count = last - first + 1
        missing = _measure(name) - sum(widths[keys + first : keys + last + 1]) - GAP * (count - 1)
        for place in range(keys + first, keys + last + 1):
            widths[place] += max(missing, 0) / count
    return widths


def _stretched(widths: list[float], keys: int, width: float) -> list[float]:
    """The columns spread over the whole width, so that the blocks of a page end together."""
    spare = (width - sum(widths) - GAP * (len(widths) - 1)) / (len(widths) - keys)
    return [found + (spare if place >= keys else 0) for place, found in enumerate(widths)]


def _wrapped(text: str, width: float, size: float = SMALL) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _measure(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _measure(text: str, size: float = SIZE) -> float:
    """Width of the text in points, from the font's own metrics: outlines would take seconds a page."""
    font = _font()
    font.set_size(size, POINTS_PER_INCH)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return float(font.get_width_height()[0]) / SUBPIXELS


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties(family=FONT)))


def _pdf(canvas: _Canvas, width: float, height: float) -> bytes:

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH))
        FigureCanvasPdf(figure)
        for text in canvas.texts:
            figure.text(
                text.x / width,
                1 - text.y / height,
                text.text,
                size=text.size,
                ha=text.align,
                va="baseline",
                weight="bold" if text.bold else "normal",
                parse_math=False,
            )
        for rule in canvas.rules:
            ends = [rule.left / width, rule.right / width]
            level = [1 - rule.y / height] * 2
            figure.add_artist(Line2D(ends, level, linewidth=rule.width, color="black"))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()
