"""From cells to what is printed: blocks of text cells under a title and a caption, and their files."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from cdd.files import atomic_write
from experiments.schema.scale import Scale
from experiments.schema.table import Column, Table
from reproduce.evidence.context import Origin, RenderContext
from reproduce.tables import pdf
from reproduce.tables.caption import caption, letters, row_notes, title
from reproduce.tables.cells import Cell, CellKey, measure, relative
from reproduce.tables.ledger_table import verdict_blocks, verdict_notes
from reproduce.tables.rendered_table import Block, RenderedTable, number_text
from reproduce.tables.side_by_side import side_by_side
from reproduce.tables.stand_ins import network_texts
from reproduce.tables.text import latex, markdown

MOST_DECIMALS = 5
SIGNIFICANT_DIGITS = 4
Lines = dict[Origin, dict[CellKey, Cell]]
"""The cells of one table by whose runs they are, in reading order."""


def draw(table: Table, material: RenderContext) -> RenderedTable:
    """The table with measured and published numbers, relative to its reference row, and its verdicts."""
    lines = _lines(table, material)
    headings = {group.title: group.heading(material.scale) for group in table.groups}
    notes = row_notes(table, material.requested_runs, material.overrides)
    blocks = [_absolute(table, lines, headings, notes, material.scale)]
    if table.reference:
        blocks.append(_relative(table, lines, headings))
    if table.side_by_side:
        blocks = [replace(block, frame=side_by_side(block.frame)) for block in blocks]
    beside = material.reference.judged if material.reference else ()
    return RenderedTable(
        name=table.name,
        title=title(table, material.scale, material.requested_runs),
        blocks=(*blocks, *verdict_blocks(material.judged, beside)),
        notes=(*caption(table, material), *verdict_notes(material.judged)),
        numbers=_numbers(table, lines, material.scale),
    )


def write(sheet: RenderedTable, folder: Path) -> list[Path]:
    """Writes the sheet as md, csv, tex and pdf into the folder; returns the files."""
    files = {
        ".md": markdown(sheet).encode(),
        ".csv": sheet.numbers.to_csv(index=False, lineterminator="\n").encode(),
        ".tex": latex(sheet).encode(),
        ".pdf": pdf.page(sheet),
    }
    for suffix, content in files.items():
        atomic_write(folder / f"{sheet.name}{suffix}", content)
    return [folder / f"{sheet.name}{suffix}" for suffix in files]


def _absolute(
    table: Table,
    lines: Lines,
    headings: Mapping[str, str],
    notes: Mapping[str, list[str]],
    scale: Scale,
) -> Block:
    """Ours and the paper's; at the paper's scale, where both are of one kind, the gap between them."""
    rows: dict[tuple[str, ...], list[str]] = {}
    cells = next(iter(lines.values()))
    decimals = {name: _decimals(name, table, cells) for name in {key[2] for key in cells}}
    marks = letters(notes)
    for row in table.rows:
        mine = _row_of(table, row.label, cells)
        mark = "".join(f" [{marks[note]}]" for note in notes[row.label])
        texts = (row.label + mark, *network_texts(table, row, scale))
        published = [number_text(cell.paper, column.decimals) for column, cell in mine]
        if row.reported:
            rows[(*texts, "reported")] = published
            continue
        for origin, each in lines.items():
            line = _row_of(table, row.label, each)
            rows[(*texts, _counted(origin, line))] = [
                _measured(cell, decimals[column.name]) for column, cell in line
            ]
        rows[(*texts, "paper")] = published
        if scale == "paper":
            gaps = [number_text(cell.gap, column.decimals, signed=True) for column, cell in mine]
            rows[(*texts, "gap")] = gaps
    names = [(headings[group.title], f"{column.name} ({column.unit})") for group, column in _columns(table)]
    title = (
        "Measured, the paper's, and the gap between them" if scale == "paper" else "Measured, and the paper's"
    )
    return Block.of(title, rows, (*table.headings, ""), names)


def _relative(
    table: Table,
    lines: Lines,
    headings: Mapping[str, str],
) -> Block:
    rows: dict[tuple[str, ...], list[str]] = {}
    for row in table.rows:
        if row.label == table.reference or row.reported:
            continue
        for origin, cells in lines.items():
            mine = _row_of(table, row.label, relative(table, cells))
            rows[row.label, _counted(origin, mine)] = [
                _measured(cell, 1, signed=_is_difference(column)) for column, cell in mine
            ]
        rows[row.label, "paper"] = [
            number_text(cell.paper, 1, signed=_is_difference(column)) for column, cell in mine
        ]
    names = [(headings[group.title], _relative_name(column)) for group, column in _columns(table)]
    return Block.of(_relative_title(table), rows, (table.headings[0], ""), names)


def _numbers(table: Table, lines: Lines, scale: Scale) -> pd.DataFrame:
    """One line per cell, for programs: unrounded values to six significant digits."""
    (_, cells), *others = lines.items()
    compared = relative(table, cells)
    found: list[dict[str, Any]] = []
    for key, cell in cells.items():
        other = compared.get(key, Cell())
        beside = {
            f"{origin}_{name}": value
            for origin, each in others
            for name, value in (
                ("seeds", len(each[key].values)),
                ("mean", _short(each[key].mean)),
                ("std", _short(each[key].deviation)),
            )
        }
        found.append(
            {
                "row": key[0],
                "group": key[1],
                "column": key[2],
                "state": cell.state or "measured",
                "seeds": len(cell.values),
                "mean": _short(cell.mean),
                "std": _short(cell.deviation),
                "paper": cell.paper,
                "gap": _short(cell.gap) if scale == "paper" else math.nan,
                "relative_mean": _short(other.mean),
                "relative_std": _short(other.deviation),
                "relative_paper": _short(other.paper),
                **beside,
            }
        )
    return pd.DataFrame(found)


def _columns(table: Table) -> list[tuple[Any, Column]]:
    return [(group, column) for group in table.groups for column in group.columns]


def _lines(table: Table, material: RenderContext) -> Lines:
    """The cells of whoever's runs are drawn, then those of the reference."""
    found = {material.origin: measure(table, material.requested_runs, material.outcomes)}
    if material.reference:
        found["reference"] = measure(table, material.reference.requested_runs, material.reference.outcomes)
    return found


def _row_of(table: Table, label: str, cells: Mapping[CellKey, Cell]) -> list[tuple[Column, Cell]]:
    return [(column, cells[label, group.title, column.name]) for group, column in _columns(table)]


def _counted(origin: Origin, cells: list[tuple[Column, Cell]]) -> str:
    """Whose numbers a line has, and of how many seeds."""
    counts = sorted({len(cell.values) for _, cell in cells if cell.values})
    if not counts:
        return origin
    seeds = " or ".join(str(count) for count in counts)
    return f"{origin} ({seeds} seed{'' if seeds == '1' else 's'})"


def _measured(cell: Cell, decimals: int, *, signed: bool = False) -> str:
    if cell.mean is None:
        return cell.state
    deviation = "" if cell.deviation is None else f" ± {cell.deviation:.{decimals}f}"
    return number_text(cell.mean, decimals, signed=signed) + deviation


def decimals_for(column: Column, values: Iterable[float | None]) -> int:
    """Enough for four digits of a cost's smallest value, and never fewer than the paper's."""
    sizes = [abs(value) for value in values if value]
    if not sizes or column.relative == "difference":
        return column.decimals
    needed = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(min(sizes)))
    return max(column.decimals, min(needed, MOST_DECIMALS))


def _decimals(name: str, table: Table, cells: Mapping[CellKey, Cell]) -> int:
    column = next(column for _, column in _columns(table) if column.name == name)
    return decimals_for(column, (cell.mean for key, cell in cells.items() if key[2] == name))


def _is_difference(column: Column) -> bool:
    return column.relative == "difference"


def _relative_name(column: Column) -> str:
    return f"{column.name} diff." if _is_difference(column) else f"{column.name} (%)"


def _relative_title(table: Table) -> str:
    shares = [column.name for column in table.groups[0].columns if not _is_difference(column)]
    differences = [column.name for column in table.groups[0].columns if _is_difference(column)]
    words = [f"{' and '.join(shares)} in percent of it"] if shares else []
    words += [f"{' and '.join(differences)} as difference in points"] if differences else []
    return f"Relative to {table.reference}: {', '.join(words)}"


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
