"""How many of our modules stand behind each other when one of them is imported; read from the source."""

import ast
from functools import cache

import pytest

from tests.test_architecture import PACKAGES, PROJECT, imported_modules, module_name, parsed, sources, top

LONGEST_CHAIN = 15


def imported_at_start(name: str) -> set[str]:
    """Our modules that are loaded before this one, but for those that only annotations name."""
    path = PROJECT.joinpath(*name.split(".")).with_suffix(".py")
    tree = parsed(path if path.exists() else path.with_suffix("") / "__init__.py")
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {found for node in statements for found in imported_modules(node) if top(found) in PACKAGES}


@cache
def longest_chain(name: str) -> tuple[str, ...]:
    """The module, one that it imports, one that this imports, and so on to one that imports none of ours."""
    return (name, *max(map(longest_chain, imported_at_start(name)), key=len, default=()))


def test_a_chain_goes_through_the_modules_that_are_loaded():
    assert longest_chain("cdd.values") == ("cdd.values",)
    assert longest_chain("cdd.contract") == ("cdd.contract", "cdd.values")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_chain_of_imports_is_long(package):
    longest = max((longest_chain(module_name(path)) for path in sources(package)), key=len)
    assert len(longest) <= LONGEST_CHAIN, f"{len(longest)} modules: {' -> '.join(longest)}"
