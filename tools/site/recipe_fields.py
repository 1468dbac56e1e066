"""The reference of the recipe, made from the models that check it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from sphinx.pycode import ModuleAnalyzer

from cdd.contract import Method, Settings
from cdd.method_keys import key_of, methods_by_key
from cdd.recipe import Recipe
from tools.site.markdown import table

HEAD = ("field", "value", "meaning")
RECIPE = "Recipe"
UNLIMITED = 1e6
"""Upper limits from here on only catch slips of the finger."""


def markdown() -> str:
    """One section per model of a recipe, the recipe first, then one per method."""
    parts = [*_sections(Recipe)]
    known = {part.partition("\n")[0] for part in parts}
    parts.append("## Methods\n\nThe field `method` is one of these. `key` names a method in stored recipes.")
    for key in sorted(methods_by_key()):
        new = [part for part in _sections(methods_by_key()[key]) if part.partition("\n")[0] not in known]
        known |= {part.partition("\n")[0] for part in new}
        parts += new
    return "\n\n".join(parts)


def _sections(model: type[Settings]) -> Iterator[str]:
    """The model's own section, then those of the models that its fields hold."""
    schema = model.model_json_schema()
    schemas = {model.__name__: schema, **schema.get("$defs", {})}
    kinds = _kinds()
    for name in (model.__name__, *sorted(set(schemas) - {model.__name__, Method.__name__})):
        yield _section(kinds[name], schemas[name])


def _kinds() -> dict[str, type[Settings]]:
    """Every model by its name."""
    found: dict[str, type[Settings]] = {}
    waiting: list[type[Settings]] = [Settings]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return found


def _section(model: type[Settings], schema: Mapping[str, Any]) -> str:
    key = f"Key: `{key_of(model)}`. " if issubclass(model, Method) else ""
    text = f"{'###' if key else '##'} {model.__name__}\n\n{key}{_first_paragraph(model)}"
    meanings = _meanings(model)
    rows = [
        (f"`{name}`", f"{value_text(field)}; {_default(model, name)}", meanings.get(name, ""))
        for name, field in schema.get("properties", {}).items()
    ]
    return f"{text}\n\n{table(HEAD, rows)}" if rows else text


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """What is written below each field, those of the classes that it inherits from included."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, Settings):
            documented = ModuleAnalyzer.for_module(kind.__module__).find_attr_docs()
            found |= {
                name: " ".join(lines) for (owner, name), lines in documented.items() if owner == kind.__name__
            }
    return found


def value_text(schema: Mapping[str, Any]) -> str:
    """What a field takes, in words: kind, limits, choices; other models as links to their sections."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "a [method](#methods)" if name == Method.__name__ else f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(value_text(choice) for choice in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{choice}`" for choice in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        several = schema.get("prefixItems")
        return (
            f"{len(several)} x {value_text(several[0])}"
            if several
            else f"list of {value_text(schema['items'])}"
        )
    kinds = {"integer": "whole number", "number": "number", "boolean": "true or false", "null": "nothing"}
    return " ".join([kinds.get(schema.get("type", ""), "text"), *_limits(schema)])


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    signs = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    for name, word in signs.items():
        if name in schema and schema[name] < UNLIMITED:
            yield f"{word} {schema[name]:,}"


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    return "has defaults" if isinstance(field.default, BaseModel) else f"default `{field.default}`"
