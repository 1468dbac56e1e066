"""The table of all artifacts, as `python -m reproduce list` finds them."""

from experiments import registry
from tools.site.markdown import table


def markdown() -> str:
    """One line per artifact: its name, its title, and where it stands in the paper."""
    rows = [(f"`{found.name}`", found.title, found.source) for found in registry.summaries()]
    return table(("name", "what it shows", "source"), rows)
