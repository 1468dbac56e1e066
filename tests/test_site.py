"""The documentation's site: built without a warning, its links lead somewhere, and it fetches nothing."""

import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer.main

from cdd.method_keys import methods_by_key
from cdd.recipe import Recipe
from experiments import registry
from reproduce.cli.app import app
from tests.documents import PROJECT
from tests.test_architecture import LAYERS, ROOMS

pytestmark = [pytest.mark.committed, pytest.mark.slow, pytest.mark.xdist_group("site")]  # built once

FETCHING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The anchors, links and fetched addresses of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if values.get(FETCHING.get(tag, "")):
            self.fetched.append(values[FETCHING[tag]])

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs"]
    command += ["-d", str(folder / "cache"), ".", str(folder / "html")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@cache
def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def has_anchor(path: Path, anchor: str) -> bool:
    """Whether a page of the site has the anchor; other files are not looked into."""
    is_page = path.suffix == ".html" and "_downloads" not in path.parts
    return not anchor or not is_page or anchor in read(path).anchors


def pages(site: Path) -> list[Path]:
    found = [path for path in site.rglob("*.html") if "_downloads" not in path.parts]
    assert len(found) > 30
    return found


def test_every_link_inside_leads_to_a_page_and_an_anchor(site: Path) -> None:
    broken = []
    for path in pages(site):
        for link in read(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or not has_anchor(target, unquote(parts.fragment)):
                broken.append((path.name, link))
    assert broken == []


def test_nothing_is_fetched_from_another_place(site: Path) -> None:
    for path in pages(site):
        assert [address for address in read(path).fetched if urlsplit(address).netloc] == [], path
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert "url(http" not in text and "url(//" not in text and "@import" not in text, sheet


def test_every_verb_has_a_section(site: Path) -> None:
    text = read(site / "docs" / "reference" / "command-line.html").text
    root = typer.main.get_command(app)
    for name in root.list_commands(root.context_class(root)):  # type: ignore[attr-defined]
        assert name in text


def test_every_field_method_artifact_and_part_is_listed(site: Path) -> None:
    fields = read(site / "docs" / "reference" / "recipe.html").text
    assert set(Recipe.model_fields) <= set(fields.split())
    assert all(kind.__name__ in fields for kind in methods_by_key().values())
    artifacts = read(site / "docs" / "reference" / "artifacts.html").text
    assert all(summary.name in artifacts and summary.title in artifacts for summary in registry.summaries())
    parts = read(site / "docs" / "architecture.html").text
    for package, names in {**ROOMS, "cdd": LAYERS}.items():
        assert all(f"{package}.{name}" in parts for name in names)
