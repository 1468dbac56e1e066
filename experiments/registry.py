"""Finds the declared artifacts by scanning `experiments/`; nothing is listed by hand."""

import ast
import difflib
import pkgutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import experiments
from experiments.errors import UsageError, shortened

if TYPE_CHECKING:
    from experiments.schema.claim import Claim
    from experiments.schema.figure import Artifact

CONSTANTS = ("TABLE", "FIGURE")
TEXTS = ("name", "title", "source")


@dataclass(frozen=True)
class Summary:
    """An artifact's entry in the list."""

    name: str
    title: str
    source: str


def summaries() -> list[Summary]:
    """Every artifact, read from the source of its module: listing them imports none."""
    return list(_modules())


def check_names(names: Sequence[str], verbs: Sequence[str] = ()) -> None:
    """Refuses names that no artifact has.

    Args:
        names: that shall be artifacts.
        verbs: of the command line, which may have been meant as well.

    Raises:
        UsageError: with the nearest names.
    """
    known = [summary.name for summary in summaries()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(shortened(name), [*known, *verbs], n=3, cutoff=0.4) or known
            kind = "verb" if near[0] in verbs else "artifact"
            more = "--help` shows all verbs" if near[0] in verbs else "list` shows all of them"
            raise UsageError(
                f"unknown {kind} {shortened(name)!r}: did you mean {', '.join(near)}? "
                f"`python -m reproduce {more}."
            )


def find(name: str) -> "Artifact":
    """The artifact of this name.

    Raises:
        UsageError: for an unknown name.
    """
    # Listing the artifacts loads no library.
    from experiments.schema.figure import Picture  # noqa: PLC0415
    from experiments.schema.table import Table  # noqa: PLC0415

    places = {summary.name: module for summary, module in _modules().items()}
    check_names([name])
    place = places[name]
    module = import_module(place)
    found = next(getattr(module, constant) for constant in CONSTANTS if hasattr(module, constant))
    if not isinstance(found, Table | Picture) or found.name != name:
        raise ValueError(
            f"{place.replace('.', '/')}.py must declare TABLE = Table(name={name!r}, ...) or "
            f"FIGURE = Figure(name={name!r}, ...)"
        )
    return found


def claims() -> "tuple[Claim, ...]":
    """Every declared claim of the sources, in their order."""
    found: tuple[Claim, ...] = import_module("experiments.claims.every").CLAIMS
    return found


def as_plain(summary: Summary) -> dict[str, str]:
    """The entry as plain values."""
    return asdict(summary)


def _modules() -> dict[Summary, str]:
    """Every artifact with the module that declares it, in the order of their names."""
    found = {}
    for module in pkgutil.walk_packages(experiments.__path__, "experiments."):
        texts = None if module.ispkg else _declared(_path(module.name))
        if texts is not None:
            own = module.name.rpartition(".")[2].replace("_", "-")
            name, title, source = ({"name": own, **texts}.get(text, "") for text in TEXTS)
            found[Summary(name, title, source)] = module.name
    return dict(sorted(found.items(), key=lambda item: item[0].name.replace("-", "_")))


def _path(module: str) -> Path:
    return Path(experiments.__path__[0], *module.split(".")[1:]).with_suffix(".py")


def _declared(path: Path) -> dict[str, str] | None:
    """The texts of a module's `TABLE = Table(...)` or `FIGURE = ...(...)`; None where it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        if any(isinstance(target, ast.Name) and target.id in CONSTANTS for target in node.targets):
            return _texts(node.value)
    return None


def _texts(declared: ast.Call) -> dict[str, str]:
    """Name, title and source of the declared artifact, or of the table inside it."""
    found: dict[str, str] = {}
    for node in ast.walk(declared):  # from outside to inside
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant) and node.arg in TEXTS:
            found.setdefault(node.arg, str(node.value.value))
    return found
