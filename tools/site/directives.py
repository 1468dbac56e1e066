"""Sphinx directives that put generated Markdown into a page: `{command-line}`, `{recipe-fields}`, ..."""

from collections.abc import Callable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.site import artifacts, command_line, layers, recipe_fields

GENERATED: dict[str, Callable[[], str]] = {
    "artifacts": artifacts.markdown,
    "command-line": command_line.markdown,
    "layers": layers.markdown,
    "recipe-fields": recipe_fields.markdown,
}


def _directive(generate: Callable[[], str]) -> type[SphinxDirective]:
    class Generated(SphinxDirective):
        """A part of a page, made anew in every build."""

        def run(self) -> list[nodes.Node]:
            self.env.note_reread()
            return self.parse_text_to_nodes(generate(), allow_section_headings=True)

    return Generated


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the directives."""
    for name, generate in GENERATED.items():
        app.add_directive(name, _directive(generate))
    return {"parallel_read_safe": True}
