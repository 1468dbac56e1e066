"""Declarations found by importing every module of a package."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module


def declarations(package: str) -> Iterator[tuple[str, object]]:
    """Every public value of every module below the package, with the module's full name."""
    for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        for name, value in vars(import_module(module.name)).items():
            if not name.startswith("_"):
                yield module.name, value
