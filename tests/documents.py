"""README and documentation as tests read them: pages, and their blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

PROJECT = Path(__file__).parents[1]
PAGES = (PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md")))
COMMENT = re.compile(r"<!-- (.*?) -->\s*$")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        comment: what the comment right before it says; empty where there is none.
        language: empty for an indented block.
    """

    page: Path
    line: int
    comment: str
    language: str
    text: str

    @property
    def needs(self) -> str:
        """What the block needs that a test has not."""
        return self.comment.removeprefix("needs: ") if self.comment.startswith("needs: ") else ""

    @property
    def commands(self) -> list[str]:
        """The lines of a shell, continued lines joined, without comments."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.sub(r"(^|\s+)#.*", "", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]


def blocks(page: Path) -> Iterator[Block]:
    """The page's blocks of code in order."""
    before = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            found = COMMENT.search(before)
            line = token.map[0] + 1 if token.map else 0
            yield Block(page, line, found[1] if found else "", token.info.strip(), token.content)
        before = token.content if token.type == "html_block" else ""


def name_of(page: Path) -> str:
    """The page's path in the project, as a test's id."""
    return str(page.relative_to(PROJECT))
