"""Messages for wrong overrides: the nearest keys and their types, what was given and what is allowed."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from cdd.contract import Settings
from cdd.recipe import Recipe
from reproduce.errors import shortened

FAR_AWAY = 1_000_000
LONGEST_VALUE = 80


def unknown_key(text: str, key: str, role: str, recipes: list[Recipe]) -> str:
    """Why an override found no field, with the keys that come nearest."""
    known: dict[str, str] = {}
    for recipe in recipes:
        for link in _chain(recipe):
            known |= _keys(link)
    near = difflib.get_close_matches(shortened(key), known, n=3, cutoff=0.4)
    near += [name for name in known if name.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1] and name not in near]
    shown = near or sorted({name.split(".")[0] for name in known})
    listing = "; ".join(f"{name} ({known[name]})" if name in known else name for name in shown)
    kinds = {"teacher": "no teacher", "initialisation": "no pretraining run"}
    where = kinds.get(role, "no run" if role.islower() else f"no run with the method {role}")
    return (
        f"--set {shortened(text)}: {where} of this artifact has a field {shortened(key)!r}. "
        f"Nearest: {listing}"
    )


def in_words(error: ValueError) -> str:
    """What a refused value was refused for, without the words of the library that checked it."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())


def explain(error: ValidationError, texts: list[str]) -> str:
    """A validation error in words: which field, what was given, what is allowed."""
    lines = dict.fromkeys(_explained(problem) for problem in error.errors())
    return (
        f"--set {' --set '.join(map(shortened, texts))}: "
        + "; ".join(lines)
        + ". Change the value and give the command again."
    )


def _explained(problem: Mapping[str, Any]) -> str:
    # A choice of kinds adds the kind to the place: no part of what can be typed.
    place = ".".join(str(part) for part in problem["loc"] if str(part).replace("_", "").isalnum())
    allowed = problem["msg"].removeprefix("Value error, ").replace("Input should be", "allowed is")
    allowed = allowed.replace("a valid dictionary or instance of", "the fields of a")
    given = "" if isinstance(problem["input"], dict | Settings) else f" was given {_short(problem)};"
    return f"{place}{given} {allowed}".strip()


def _short(problem: Mapping[str, Any]) -> str:
    given = problem["input"]
    # The digits of a number beyond 4,300 of them cannot be written out.
    text = f"a number of {given.bit_length()} bits" if _is_huge(given) else repr(given)
    return shortened(text, LONGEST_VALUE)


def _is_huge(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > 256


def _chain(recipe: Recipe) -> list[Recipe]:
    return [recipe, *(link for before in recipe.dependencies for link in _chain(before))]


def _keys(settings: Settings, prefix: str = "") -> dict[str, str]:
    """Path of every field below these settings, with its type and present value in words."""
    found: dict[str, str] = {}
    schema = type(settings).model_json_schema()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Recipe):
            continue
        if isinstance(value, Settings):
            found |= _keys(value, f"{prefix}{name}.")
        elif name != "seed":
            found[prefix + name] = f"{_type(_property(schema, name), value)}, now {_plain(value)}"
    return found


def _property(schema: dict[str, Any], name: str) -> dict[str, Any]:
    properties = schema.get("properties") or schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]["properties"]
    return dict(properties[name])


def _type(schema: dict[str, Any], value: Any) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(str(choice) for choice in schema["enum"])
    kind = str(schema.get("type", type(value).__name__))
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    # Limits that only keep a slip of the finger away say nothing of what is sensible.
    said = {key: schema[key] for key in limits if abs(schema.get(key, FAR_AWAY)) < FAR_AWAY}
    words = [f"{text} {said[key]}" for key, text in limits.items() if key in said]
    return " ".join([kind, " and ".join(words)]).strip()


def _plain(value: Any) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
