"""A sheet as a PDF of A4 pages: text in embedded fonts, the same bytes for the same numbers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import matplotlib
import pandas as pd
from fpdf import FPDF, FontFace
from fpdf.enums import CellBordersLayout
from fpdf.table import Table as PageTable

from reproduce.tables.rendered_table import Block, RenderedTable
from reproduce.tables.text import headings, sparse, words_of

FONT, SIZE, SMALL, LARGE = "STIX", 8.5, 7.5, 11.0
MARGIN, LINE, PADDING = 36.0, 11.0, 4.0  # points
RULE = 0.4  # points
NO_RULE, ABOVE, BELOW = CellBordersLayout(0), CellBordersLayout.TOP, CellBordersLayout.BOTTOM
NO_DATE = datetime.fromtimestamp(0, UTC)
"""As reproducible builds write it."""
FEWEST_LINES = 4
"""Of a block that begin on a page; where fewer fit it begins on the next."""


class _Pages(FPDF):
    """Pages that repeat the sheet's title and count themselves."""

    def __init__(self, title: str):
        super().__init__("landscape", "pt", "A4")
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.add_font(FONT, "", fonts / "STIXGeneral.ttf")
        self.add_font(FONT, "B", fonts / "STIXGeneralBol.ttf")
        self.set_title(title)
        self.set_creation_date(NO_DATE)
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN + LINE)
        self.c_margin = 0
        self.heading = title
        self.add_page()

    def header(self) -> None:
        """The title."""
        self.set_font(FONT, "B", LARGE)
        self.multi_cell(0, LARGE + 3, self.heading, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(PADDING)

    def footer(self) -> None:
        """The page's number, of how many."""
        self.set_font(FONT, "", SMALL)
        self.set_y(-MARGIN)
        self.cell(0, LINE, f"{self.page_no()} of {{nb}}", align="R")


def page(sheet: RenderedTable) -> bytes:
    """The PDF file of the sheet."""
    pages = _Pages(sheet.title)
    for block in sheet.blocks:
        _block(pages, block)
    pages.ln(LINE)
    pages.set_font(FONT, "", SMALL)
    for note in sheet.notes:
        pages.multi_cell(0, SMALL + 2, note, align="L", new_x="LMARGIN", new_y="NEXT")
    return bytes(pages.output())


def _block(pages: _Pages, block: Block) -> None:
    frame, body = block.frame, sparse(block.frame)
    if pages.will_page_break((FEWEST_LINES + 4) * (LINE + 2)):
        pages.add_page()
    pages.ln(LINE / 2)
    pages.set_font(FONT, "B", SIZE)
    pages.cell(0, LINE + 2, block.title, new_x="LMARGIN", new_y="NEXT")
    pages.set_font(FONT, "", SIZE)
    pages.set_line_width(RULE)
    with pages.table(
        col_widths=_widths(pages, frame),
        text_align=["LEFT" if is_word else "RIGHT" for is_word in words_of(block)],
        v_align="TOP",
        headings_style=FontFace(),
        num_heading_rows=2,
        line_height=LINE,
        padding=(1, PADDING / 2),
        borders_layout="NONE",
    ) as table:
        _heads(table, frame)
        grouped = any(not line[0] for line in body)
        for place, line in enumerate(body):
            above = ABOVE if place > 0 and line[0] and grouped else NO_RULE
            _line(table, line, above | (BELOW if place == len(body) - 1 else NO_RULE))


def _heads(table: PageTable, frame: pd.DataFrame) -> None:
    """Groups above the columns that they span, then the names of all columns."""
    first = table.row()
    for _ in range(frame.index.nlevels):
        first.cell("", border=ABOVE)
    for name, width in _spans(frame):
        first.cell(name, colspan=width, align="CENTER", border=ABOVE)
    _line(table, headings(frame)[1], BELOW)


def _line(table: PageTable, cells: list[str], border: CellBordersLayout) -> None:
    row = table.row()
    for text in cells:
        row.cell(text, border=border)


def _spans(frame: pd.DataFrame) -> Iterator[tuple[str, int]]:
    """Each group's heading, and how many columns are below it."""
    for name, columns in groupby(frame.columns, key=lambda column: str(column[0])):
        yield name, len(list(columns))


def _widths(pages: _Pages, frame: pd.DataFrame) -> list[float]:
    """Of the columns, on the whole page; where their texts do not fit, the widest wrap theirs."""
    lines = [headings(frame)[1], *sparse(frame)]
    widths = [
        max(pages.get_string_width(line[place]) for line in lines) + 2 * PADDING
        for place in range(len(lines[0]))
    ]
    limit = max(widths)
    while sum(min(width, limit) for width in widths) > pages.epw:
        limit -= 1
    fitted = [min(width, limit) for width in widths]
    spare = (pages.epw - sum(fitted)) / len(frame.columns)
    keys = frame.index.nlevels
    return [width + (spare if place >= keys else 0) for place, width in enumerate(fitted)]
