"""Markdown of this project as a part of the page: headings below the page's own, tables that can scroll."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

IMAGE = re.compile(r"^!\[.*?\]\(.*?\)$\n?", re.MULTILINE)
OUTSIDE = ("https://", "http://", "#")
SCROLL = '<div class="scroll" tabindex="0" role="region" aria-label="Table">'


@dataclass(frozen=True)
class Document:
    """A document without its title.

    Attributes:
        name: of its file, without suffix; the beginning of the ids of its headings.
        body: HTML.
    """

    name: str
    title: str
    body: str


def document(path: Path, level: int, anchors: Collection[str] = ()) -> Document:
    """The document; pictures are left out, which the page shows itself.

    Args:
        level: of its highest headings on the page.
        anchors: ids on the page; a link to a file of such a name leads there, one to another file nowhere.
    """
    title, _, text = path.read_text(encoding="utf-8").partition("\n")
    tokens = _markdown().parse(IMAGE.sub("", text))
    _place(tokens, path.stem.lower(), level)
    for token in tokens:
        token.children = token.children and list(_led(token.children, anchors))
    return Document(path.stem, title.removeprefix("# "), _markdown().renderer.render(tokens, _options(), {}))


def sections(path: Path) -> Iterator[tuple[str, int]]:
    """Each heading of the document, with the number of table rows below it."""
    heading, rows, inside = "", 0, False
    for token in _markdown().parse(path.read_text(encoding="utf-8")):
        if token.type == "heading_open":
            if heading and rows:
                yield heading, rows
            heading, rows = "", 0
        elif token.type == "inline" and not heading:
            heading = token.content
        elif token.type in ("tbody_open", "tbody_close"):
            inside = token.type == "tbody_open"
        rows += inside and token.type == "tr_open"
    if rows:
        yield heading, rows


def _markdown() -> MarkdownIt:
    found = MarkdownIt("commonmark", {"html": False}).enable("table")
    found.add_render_rule("table_open", _table_open)
    found.add_render_rule("table_close", _table_close)
    return found


def _options() -> Any:
    return _markdown().options


def _table_open(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return f"{SCROLL}<table>\n"


def _table_close(renderer: Any, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def _led(tokens: Sequence[Token], anchors: Collection[str]) -> Iterator[Token]:
    """The tokens of a paragraph with links that work on a page which is alone."""
    kept: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrGet("href"))
            anchor = Path(address).stem
            kept.append(address.startswith(OUTSIDE) or anchor in anchors)
            if kept[-1] and not address.startswith(OUTSIDE):
                token.attrSet("href", f"#{anchor}")
        if not token.type.startswith("link_") or kept[-1]:
            yield token
        if token.type == "link_close":
            kept.pop()


def _place(tokens: Sequence[Token], prefix: str, level: int) -> None:
    """Gives headings the levels and ids that they have on the page, and columns their scope."""
    highest = min((int(token.tag[1]) for token in tokens if token.type == "heading_open"), default=1)
    for place, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) - highest + level}"
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.type == "heading_open":
            words = re.sub(r"[^a-z0-9]+", "-", tokens[place + 1].content.lower()).strip("-")
            token.attrSet("id", f"{prefix}-{words}")
