"""Methods by the keys that stored recipes name them with, in whatever files their classes lie."""

from inspect import isabstract
from typing import Any

from cdd.contract import Method
from cdd.discovery import declarations


def key_of(kind: type[Method]) -> str:
    """What stored recipes call the method.

    Raises:
        ValueError: for a class without a key of its own.
    """
    key = vars(kind).get("key")
    if not isinstance(key, str) or not key:
        raise ValueError(f'{kind.__name__} has no key of its own: write key = "..." into the class')
    return key


def methods_by_key() -> dict[str, type[Method]]:
    """Every method of `cdd.methods`, found by reading the package.

    Raises:
        ValueError: for a method without a key, or two methods with one.
    """
    found: dict[str, type[Method]] = {}
    for module, kind in declarations("cdd.methods"):
        if not (isinstance(kind, type) and issubclass(kind, Method)):
            continue
        if kind.__module__ != module or isabstract(kind):
            continue
        other = found.setdefault(key_of(kind), kind)
        if other is not kind:
            raise ValueError(f"{other.__name__} and {kind.__name__} have one key, {key_of(kind)!r}")
    return found


def load_method(values: dict[str, Any]) -> Method:
    """The method that a stored recipe names by its key, with the fields that it has there.

    Raises:
        ValueError: for a key that no method has, or fields that it refuses.
    """
    fields = dict(values)
    key = fields.pop("method", None)
    kind = methods_by_key().get(key) if isinstance(key, str) else None
    if kind is None:
        raise ValueError(f"{key!r} is not a method of this version of the library (cdd.methods)")
    return kind.model_validate(fields)
