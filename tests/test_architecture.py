"""Who may import whom, who may print, and how long files and functions may be; read from the source."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("cdd", "reproduce", "experiments")
OURS = (*PACKAGES, "benchmarks", "tools", "tests")
LONGEST_FILE, LONGEST_FUNCTION = 300, 40

LAYERS = {
    "discovery": 0,
    "errors": 0,
    "values": 0,
    "torchvision_guard": 0,
    "files": 1,
    "seals": 1,
    "contract": 1,
    "architecture": 2,
    "method_keys": 2,
    "result": 2,
    "tensor_files": 2,
    "recipe": 3,
    "data": 4,
    "losses": 4,
    "models": 4,
    "evaluation": 5,
    "compactor": 6,
    "gradients": 6,
    "methods": 7,
    "training": 8,
    "run": 9,
}
"""The parts of cdd; each may import itself and every part with a smaller number."""

FLOORS = {
    "reproduce": "errors < storage statistics < tracking < planning transfer < execution < evidence < claims "
    "< tables < figures < gallery studies pipeline < report < reference < cli < __main__",
    "experiments": "errors schema < common < paper quest < analysis claims < registry",
}
"""The rooms of a package from the ground up; each may import itself and what stands before its own sign."""

ROOMS = {
    package: {room: floor for floor, rooms in enumerate(floors.split("<")) for room in rooms.split()}
    for package, floors in FLOORS.items()
}
EXPERIMENTS_MAY_IMPORT = ("cdd.architecture", "cdd.contract", "cdd.methods", "cdd.recipe")
REPRODUCE_MAY_IMPORT = ("experiments.errors", "experiments.registry", "experiments.schema")
PRINTING = {
    "print",
    "pprint.pprint",
    "pprint.pp",
    "rich.print",
    "rich.get_console",
    "rich.console.Console",
    "rich.progress.Progress",
    "rich.progress.track",
    "rich.live.Live",
    "typer.echo",
    "typer.secho",
    "click.echo",
    "sys.stdout",
    "sys.stderr",
}


def sources(*packages: str) -> list[Path]:
    """Python files of the packages, relative to the project; none for a package that does not exist."""
    return sorted(
        path.relative_to(PROJECT) for package in packages for path in (PROJECT / package).rglob("*.py")
    )


def each(*packages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", sources(*packages), ids=str)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((PROJECT / path).read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = PROJECT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(name in this module, full dotted name) of everything imported at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or top(alias.name)
                yield local, alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: import by the full name, not relatively"
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def imported_modules(tree: ast.AST) -> set[str]:
    """Full names of the modules that are imported; `from a import b` gives `a.b` where that is a module."""
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if top(full) in OURS and is_module(full) else node.module)
    return found


def top(name: str) -> str:
    return name.partition(".")[0]


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed)


def part_of(name: str) -> str | None:
    """The part or room of its package that a module belongs to; None for the package itself."""
    return name.split(".")[1] if "." in name else None


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` of a chain of attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return head and f"{head}.{node.attr}"
    return None


def printing_names(tree: ast.AST) -> set[str]:
    """Full names of what the module uses to print."""
    known = dict(imported_names(tree))
    found = set()
    for node in ast.walk(tree):
        name = dotted(node)
        if name:
            head, _, rest = name.partition(".")
            found.add(".".join(filter(None, (known.get(head, head), rest))))
    return (found | set(known.values())) & PRINTING


def may_print(path: Path) -> bool:
    return path.parts[:2] == ("reproduce", "cli")


def length_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, end = function.body[0], function.end_lineno or function.lineno
    length = end - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def test_the_import_reader_finds_every_way_to_import():
    tree = ast.parse(
        "import cdd.data.records as records\n"
        "def later():\n"
        "    from cdd import recipe\n"
        "    from cdd.recipe import Recipe\n"
        "    import numpy.linalg\n"
    )
    assert imported_modules(tree) == {"cdd.data.records", "cdd.recipe", "numpy.linalg"}


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "import rich\nrich.print(1)",
        "from rich import print as show\nshow(1)",
        "from rich.console import Console",
        "import sys\nsys.stdout.write('a')",
        "from sys import stderr",
    ],
)
def test_the_print_reader_finds_every_way_to_print(source):
    assert printing_names(ast.parse(source))


def test_the_print_reader_ignores_what_only_looks_like_it():
    assert not printing_names(ast.parse("printer = 1\nreport.print()\nimport sys\nsys.modules"))


def test_the_length_of_a_function_leaves_its_docstring_out():
    tree = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n')
    assert isinstance(tree.body[0], ast.FunctionDef)
    assert length_without_docstring(tree.body[0]) == 2


def test_every_part_of_cdd_has_a_layer():
    parts = {part for path in sources("cdd") if (part := part_of(module_name(path)))}
    homeless = sorted(parts - LAYERS.keys())
    assert not homeless, f"give cdd.{', cdd.'.join(homeless)} a place in LAYERS: what may it import?"


@each("cdd")
def test_cdd_imports_nothing_of_ours_outside_cdd(path):
    outside = {name for name in imported_modules(parsed(path)) if top(name) in OURS and top(name) != "cdd"}
    assert not outside, f"{path} imports {sorted(outside)}; the library knows nothing of its users"


@each("cdd")
def test_parts_of_cdd_import_only_lower_parts(path):
    part = part_of(module_name(path))
    targets = {part_of(name) for name in imported_modules(parsed(path)) if top(name) == "cdd"} - {part, None}
    if part is None:
        assert not targets, f"{path} imports {sorted(map(str, targets))}: importing cdd alone does no work"
        return
    wrong = sorted(
        target for target in targets if target and LAYERS.get(target, sys.maxsize) >= LAYERS.get(part, -1)
    )
    assert not wrong, f"cdd.{part} may not import cdd.{', cdd.'.join(wrong)} (LAYERS): {path}"


@each(*ROOMS)
def test_rooms_import_only_lower_rooms(path):
    name = module_name(path)
    package, room = top(name), part_of(name)
    targets = {part_of(name) for name in imported_modules(parsed(path)) if top(name) == package} - {
        room,
        None,
    }
    floors = ROOMS[package]
    if room is None:
        assert not targets, f"{path} imports {targets}: importing {package} alone does no work"
        return
    assert room in floors, f"give {package}.{room} a place among the rooms: what may it import?"
    wrong = sorted(target for target in targets if target and floors.get(target, sys.maxsize) >= floors[room])
    assert not wrong, f"{package}.{room} may not import {package}.{', '.join(wrong)}: {path}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other(package):
    graph = {module_name(path): imported_modules(parsed(path)) for path in sources(package)}
    TopologicalSorter(graph).prepare()  # Says which modules, where there is a circle.


@each("experiments")
def test_experiments_import_only_what_declares_a_table(path):
    allowed = (*EXPERIMENTS_MAY_IMPORT, "experiments")
    wrong = {
        name
        for name in imported_modules(parsed(path))
        if not within(name, allowed) and top(name) not in sys.stdlib_module_names
    }
    assert not wrong, f"{path} imports {sorted(wrong)}; an experiment is data only"


@each("reproduce")
def test_the_suite_finds_experiments_through_the_registry(path):
    ours = {name for name in imported_modules(parsed(path)) if top(name) not in ("cdd", "reproduce")}
    wrong = {name for name in ours if top(name) in OURS and not within(name, REPRODUCE_MAY_IMPORT)}
    assert not wrong, f"{path} imports {sorted(wrong)}; ask experiments.registry"


@each(*PACKAGES)
def test_only_the_command_line_prints(path):
    found = set() if may_print(path) else printing_names(parsed(path))
    assert not found, f"{path} uses {sorted(found)}; only reproduce/cli prints"


@each(*OURS)
def test_files_are_short(path):
    lines = len((PROJECT / path).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{path} has {lines} lines; at most {LONGEST_FILE}: split it by ideas"


@each(*OURS)
def test_functions_are_short(path):
    long = {
        node.name: length
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := length_without_docstring(node)) > LONGEST_FUNCTION
    }
    assert not long, f"{path}: {long} lines without docstring; at most {LONGEST_FUNCTION}"
