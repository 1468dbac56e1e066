"""Finds the declared artifacts by scanning `experiments/`; nothing is listed by hand."""

import ast
import difflib
import pkgutil
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import experiments
from reproduce.errors import UsageError, shortened

if TYPE_CHECKING:
    from reproduce.claim import PublishedClaim
    from reproduce.picture import Artifact

CONSTANTS = ("TABLE", "FIGURE")
TEXTS = ("title", "source")


@dataclass(frozen=True)
class Summary:
    """An artifact's entry in the list."""

    name: str
    title: str
    source: str


def summaries() -> list[Summary]:
    """Every artifact, read from the source of its module: listing them imports none."""
    found = []
    for module in pkgutil.iter_modules(experiments.__path__):
        texts = _declared(Path(experiments.__path__[0], f"{module.name}.py"))
        if texts is not None:
            found.append(
                Summary(module.name.replace("_", "-"), texts.get("title", ""), texts.get("source", ""))
            )
    return found


def check_names(names: list[str]) -> None:
    """Refuses names that no artifact has.

    Raises:
        UsageError: with the nearest names.
    """
    known = [summary.name for summary in summaries()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(shortened(name), known, n=3, cutoff=0.4) or known
            raise UsageError(
                f"unknown artifact {shortened(name)!r}: did you mean {', '.join(near)}? "
                "`python -m reproduce list` shows all of them."
            )


def find(name: str) -> "Artifact":
    """The artifact of this name.

    Raises:
        UsageError: for an unknown name.
    """
    from reproduce.artifact import Table
    from reproduce.picture import Picture

    check_names([name])
    module = import_module(f"experiments.{module_name(name)}")
    found = next(getattr(module, constant) for constant in CONSTANTS if hasattr(module, constant))
    if not isinstance(found, Table | Picture) or found.name != name:
        raise ValueError(
            f"experiments/{module_name(name)}.py must declare TABLE = Table(name={name!r}, ...) or "
            f"FIGURE = Figure(name={name!r}, ...)"
        )
    return found


def claims() -> "tuple[PublishedClaim, ...]":
    """Every declared claim of the sources, in their order."""
    found: tuple[PublishedClaim, ...] = import_module("experiments.claims").CLAIMS
    return found


def module_name(name: str) -> str:
    """The module that declares the artifact."""
    return name.replace("-", "_")


def as_plain(summary: Summary) -> dict[str, str]:
    """The entry as plain values."""
    return asdict(summary)


def _declared(path: Path) -> dict[str, str] | None:
    """The texts of a module's `TABLE = Table(...)` or `FIGURE = ...(...)`; None where it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        if any(isinstance(target, ast.Name) and target.id in CONSTANTS for target in node.targets):
            return _texts(node.value)
    return None


def _texts(declared: ast.Call) -> dict[str, str]:
    """Title and source of the declared artifact, or of the table inside it."""
    found: dict[str, str] = {}
    for node in ast.walk(declared):  # from outside to inside
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and node.arg in TEXTS:
            found.setdefault(node.arg, str(node.value.value))
    return found
