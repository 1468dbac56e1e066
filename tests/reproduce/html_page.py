"""Reads the report's page back: its elements in order, and its tables as rows of texts."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link", "input"}


@dataclass
class Element:
    """One element with its texts and children in order."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, with single spaces."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(parts).split())

    def all(self, *tags: str) -> list["Element"]:
        """Elements of these tags inside, in order."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] * (child.tag in tags or not tags) + child.all(*tags)
        return found

    def named(self, anchor: str) -> "Element":
        """The only element of this id."""
        (found,) = [element for element in self.all() if element.attributes.get("id") == anchor]
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes})
        assert len(element.attributes) == len(attributes), f"{tag} has an attribute twice"
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(text: str) -> Element:
    """The page; every element must be closed where it was opened."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is never closed"
    return reader.open[0]


def rows(table: Element) -> list[list[str]]:
    """The table's lines, head and body, with cells that span repeated in every place that they cover."""
    lines: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}
    for line in table.all("tr"):
        cells: list[str] = []
        for cell in line.all("th", "td"):
            _hang(cells, hanging)
            width, height = (int(cell.attributes.get(name, "1")) for name in ("colspan", "rowspan"))
            for _ in range(width):
                if height > 1:
                    hanging[len(cells)] = (height - 1, cell.text)
                cells.append(cell.text)
        _hang(cells, hanging)
        lines.append(cells)
    assert not hanging, "a cell hangs below the table"
    return lines


def _hang(cells: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    """Adds the cells of lines above that reach down to here."""
    while len(cells) in hanging:
        left, text = hanging.pop(len(cells))
        if left > 1:
            hanging[len(cells)] = (left - 1, text)
        cells.append(text)
