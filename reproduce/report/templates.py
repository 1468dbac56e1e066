"""Fills the two templates: the page and the text in the form of the reproducibility challenge."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def html_page(values: Mapping[str, Any]) -> str:
    """The page; everything that is not marked as safe is escaped."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return _environment(escape=True).get_template("report.html").render(css=Markup(css), **values)


def challenge_text(values: Mapping[str, Any]) -> str:
    """The text as Markdown."""
    return _environment(escape=False).get_template("reproducibility.md").render(**values)


@cache
def _environment(*, escape: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
