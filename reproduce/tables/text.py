"""A sheet as Markdown and as LaTeX."""

import pandas as pd

from reproduce.tables.rendered_table import MINUS, Block, RenderedTable

TEXTS = ("verdict", "interval over")
"""Columns of words in a block of numbers."""
LATEX_ESCAPES = {"%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", MINUS: "$-$", "±": r"$\pm$", "≥": r"$\geq$"}
LATEX_ESCAPES |= {"<": "$<$", ">": "$>$", "{": r"\{", "}": r"\}", "$": r"\$", "\\": r"\textbackslash{}"}
LATEX_ESCAPES |= {"^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}


def markdown(sheet: RenderedTable) -> str:
    """The sheet for reading on a forge or in a terminal."""
    parts = [f"# {sheet.title}", ""]
    for block in sheet.blocks:
        parts += [f"**{block.title}**", "", *markdown_table(block), ""]
    return "\n".join([*parts, *(f"- {note}" for note in sheet.notes)]) + "\n"


def latex(sheet: RenderedTable) -> str:
    """The sheet as `table*` environments for a paper; needs booktabs and multirow."""
    parts = ["% needs \\usepackage{booktabs,multirow}"]
    for number, block in enumerate(sheet.blocks):
        frame = _escaped(block.frame)
        last = number == len(sheet.blocks) - 1
        text = f"{sheet.title}: {block.title}." + (" " + " ".join(sheet.notes) if last else "")
        parts.append(
            frame.style.to_latex(
                hrules=True,
                multicol_align="c",
                sparse_index=True,
                clines=None,
                environment="table*",
                position_float="centering",
                column_format="".join("l" if is_word else "r" for is_word in words_of(block)),
                label=f"tab:{sheet.name}-{number + 1}",
                caption=_escape(text),
            )
        )
    return "\n".join(parts)


def sparse(frame: pd.DataFrame) -> list[list[str]]:
    """The body as text, with index cells that repeat the row above left empty, as in a printed table."""
    lines: list[list[str]] = []
    before: tuple[str, ...] = ()
    for index, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        same = len(before) > 0 and index[0] == before[0]
        keys = ["" if same and text == before[level] else text for level, text in enumerate(index)]
        lines.append([*keys, *cells])
        before = index
    return lines


def headings(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The two heading lines: a group's name once, above its first column; names of all columns."""
    groups = [str(column[0]) for column in frame.columns]
    first = ["" if number and group == groups[number - 1] else group for number, group in enumerate(groups)]
    blank = [""] * frame.index.nlevels
    return [*blank, *first], [*map(str, frame.index.names), *(str(column[1]) for column in frame.columns)]


def words_of(block: Block) -> list[bool]:
    """Of each column, whether it has words, which begin on the left."""
    keys = block.frame.index.nlevels
    names = headings(block.frame)[1]
    return [block.words or place < keys or name in TEXTS for place, name in enumerate(names)]


def markdown_table(block: Block) -> list[str]:
    """Lines of a Markdown table; it has one heading line, so the groups follow as the first row."""
    groups, names = headings(block.frame)
    lines = [names, [f"**{group}**" if group else "" for group in groups], *sparse(block.frame)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
    rule = [
        "-" * width if is_word else "-" * (width - 1) + ":"
        for width, is_word in zip(widths, words_of(block), strict=True)
    ]
    lines.insert(1, rule)
    return ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]


def _escaped(frame: pd.DataFrame) -> pd.DataFrame:
    found = frame.map(_escape)
    found.index = pd.MultiIndex.from_tuples(
        [tuple(map(_escape, index)) for index in frame.index],
        names=[_escape(str(name)) for name in frame.index.names],
    )
    found.columns = pd.MultiIndex.from_tuples([tuple(map(_escape, column)) for column in frame.columns])
    return found


def _escape(text: str) -> str:
    return "".join(LATEX_ESCAPES.get(character, character) for character in text)
