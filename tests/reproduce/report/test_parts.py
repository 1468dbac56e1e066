"""What the page is put together from: documents, pictures, times."""

from pathlib import Path

import PIL.Image
import pytest

from reproduce.report.images import image
from reproduce.report.markdown import document, sections
from reproduce.report.run_table import clock
from tests.reproduce.html_page import parsed, rows

TEXT = """# Title

Words with `code`, <script>alert(1)</script> and a [link](https://example.org/a?b=1&c=2).

![Picture](picture.png)

## First part: 1 & 2

| no. | point |
|---|---|
| A1 | one <b>bold</b> |
| A2 | two |

### Below

## Second

| x |
|---|
| y |
"""


def test_a_documents_headings_go_below_the_pages_and_its_tables_can_scroll(tmp_path: Path) -> None:
    path = tmp_path / "NOTES.md"
    path.write_text(TEXT)
    found = document(path, 3)
    page = parsed(found.body)
    assert found.title == "Title"
    assert [(h.tag, h.attributes["id"]) for h in page.all("h1", "h2", "h3", "h4")] == [
        ("h3", "notes-first-part-1-2"),
        ("h4", "notes-below"),
        ("h3", "notes-second"),
    ]
    assert [element.attributes["class"] for element in page.all("div")] == ["scroll", "scroll"]
    assert rows(page.all("table")[0]) == [["no.", "point"], ["A1", "one <b>bold</b>"], ["A2", "two"]]


def test_links_lead_to_the_page_itself_or_far_away_or_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text(
        "# T\n\n[there](figures/one.md), [not *there*](code/two.md), [far](https://example.org)\n"
    )
    page = parsed(document(path, 3, {"one"}).body)
    assert [(link.attributes["href"], link.text) for link in page.all("a")] == [
        ("#one", "there"),
        ("https://example.org", "far"),
    ]
    assert page.text == "there, not there, far"


def test_html_in_a_document_is_text_and_its_pictures_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text(TEXT)
    body = document(path, 3).body
    assert not parsed(body).all("script", "b", "img")
    assert "<script>alert(1)</script>" in parsed(body).text
    assert 'href="https://example.org/a?b=1&amp;c=2"' in body


def test_sections_count_the_rows_of_their_tables(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text(TEXT)
    assert list(sections(path)) == [("First part: 1 & 2", 2), ("Second", 1)]


def test_lines_are_preferred_to_pixels_and_both_know_their_size(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (3, 2)).save(tmp_path / "a.b.png")
    found = image(tmp_path / "a.b")
    assert found is not None
    assert (found.source[:22], found.width, found.height) == ("data:image/png;base64,", 3, 2)
    (tmp_path / "a.b.svg").write_text('<svg xmlns="x" width="72pt" height="36.5pt" viewBox="0 0 1 1"/>')
    found = image(tmp_path / "a.b")
    assert found is not None
    assert (found.source[:26], found.width, found.height) == ("data:image/svg+xml;base64,", 96, 49)
    assert image(tmp_path / "c") is None
    (tmp_path / "a.b.svg").write_text("<svg/>")
    with pytest.raises(ValueError, match="no size"):
        image(tmp_path / "a.b")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01"), (90000, "25:00:00")]
)
def test_times_are_hours_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text
