"""No committed page says of a claim what the ledger does not say, and every word is one of the five."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from experiments import registry
from experiments.claims.every import CLAIMS
from reproduce.statistics.verdicts import CODES, EXPLANATION, NOT_TESTED, VERDICTS
from reproduce.tables.ledger_table import counts_text
from tests.documents import PAGES as DOCUMENTS
from tests.documents import PROJECT
from tests.reproduce.html_page import parsed, rows

pytestmark = pytest.mark.committed

MINI = PROJECT / "results" / "reference" / "mini"
TEXT = PROJECT / "REPRODUCIBILITY.md"
PAGES = (
    *DOCUMENTS,
    TEXT,
    MINI / "claims.md",
    *sorted(MINI.glob("tables/*.md")),
    *sorted(MINI.glob("figures/*.md")),
)
WORD = re.compile(rf"\b({'|'.join(VERDICTS)})\b", re.IGNORECASE)
OTHER_WORDS = re.compile(
    r"direction only|indistinguishable|(not|cannot be) reproduced|seed noise", re.IGNORECASE
)
NAMED = re.compile(r"<!-- claims: (.*?) -->", re.DOTALL)
Rows = dict[tuple[str, str], tuple[str, ...]]
"""By source and text of a claim, the cells that the ledger prints."""


def place(claim: str) -> str:
    """A claim's source as grids name it."""
    return ", ".join(claim.split(", ")[2:])


@cache
def ledger() -> dict[str, str]:
    """Verdicts by the names of claims."""
    with (MINI / "claims.csv").open(encoding="utf-8", newline="") as file:
        return {line["name"]: line["verdict"] for line in csv.DictReader(file)}


@cache
def grids(page: Path) -> Rows:
    """The lines about claims on a Markdown page."""
    found: Rows = {}
    for grid in re.findall(r"(?:^\|.*\n?)+", page.read_text(encoding="utf-8"), re.MULTILINE):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in grid.splitlines()]
        if lines[0][:3] == ["Claim", "figure", "verdict"]:
            source = lines[2][2].strip("*")
            found |= {(source, line[0]): tuple(line[1:]) for line in lines[3:]}
    return found


def paragraphs(page: Path) -> Iterator[str]:
    """Bullets and paragraphs of a page, without headings, tables and code."""
    for part in re.split(r"\n(?=- |\n|#)", page.read_text(encoding="utf-8")):
        if not part.lstrip().startswith(("#", "|", "    ")) and "\n|" not in part:
            yield part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_line_about_a_claim_is_the_ledgers(page: Path) -> None:
    printed = grids(MINI / "claims.md")
    for key, cells in grids(page).items():
        assert cells == printed[key], key


def test_the_ledger_has_every_claim_with_its_verdict() -> None:
    printed = {key: cells[1] for key, cells in grids(MINI / "claims.md").items()}
    assert printed == {(place(claim.source), claim.text): ledger()[claim.name] for claim in CLAIMS}
    assert set(ledger().values()) <= set(VERDICTS)


@pytest.mark.parametrize("name", [summary.name for summary in registry.summaries()])
def test_an_artifact_prints_the_claims_about_its_rows_and_explains_the_words(name: str) -> None:
    (page,) = [page for page in PAGES if page.stem == name and MINI in page.parents]
    about = {
        (place(claim.source), claim.text)
        for claim in CLAIMS
        for pair in claim.pairs
        for run in pair.runs
        if run.artifact == name
    }
    assert set(grids(page)) == about
    assert (EXPLANATION in page.read_text(encoding="utf-8")) == bool(about)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_other_words_for_verdicts_are_not_used(page: Path) -> None:
    assert OTHER_WORDS.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_verdict_in_a_sentence_names_claims_that_have_it(page: Path) -> None:
    counted = counts_text({word: Counter(ledger().values())[word] for word in VERDICTS})
    for text in paragraphs(page):
        told = text.replace(EXPLANATION, "").replace(counted, "")
        words = {word.lower() for word in WORD.findall(told)}
        if not words or _is_a_reason(told):
            continue
        named = [name for names in NAMED.findall(text) for name in re.split(r",\s*", names)]
        assert named, f"no claim is named: {text}"
        assert {ledger()[name] for name in named} == words, text


def _is_a_reason(text: str) -> bool:
    """Whether it is the ledger's note why claims are not tested, and names none that is."""
    found = re.match(r"- Not tested \((.*)\): .*", text.strip())
    named = found[1] if found else ""
    return bool(named) and all(ledger()[c.name] == NOT_TESTED for c in CLAIMS if c.text in named)


def test_texts_count_what_the_ledger_counts() -> None:
    counted = {word: Counter(ledger().values())[word] for word in VERDICTS}
    assert TEXT.read_text(encoding="utf-8").count(counts_text(counted)) == 2
    page = parsed((MINI / "report.html").read_text(encoding="utf-8"))
    shown = {item.text: item.attributes["class"] for item in page.all("ul")[0].all("li")}
    assert shown == {f"{count} {word}": CODES[word] for word, count in counted.items()}


def test_the_report_prints_the_ledgers_lines_everywhere() -> None:
    page = parsed((MINI / "report.html").read_text(encoding="utf-8"))
    printed = {(text, cells[0]): cells[1:] for (_, text), cells in grids(MINI / "claims.md").items()}
    checked = 0
    for table in page.all("table"):
        lines = rows(table)
        head = next((line for line in lines if line[:3] == ["Claim", "figure", "verdict"]), None)
        for line in lines[lines.index(head) + 1 :] if head else []:
            assert tuple(line[2:]) == printed[line[0], line[1]], line
            checked += 1
    assert checked == len(CLAIMS)
