"""`--set key=value`: the same change made to every run of an artifact that it concerns.

A key is the path of a recipe's field. Which runs it changes follows from what it names:

- `data`, `batch`, `schedule`, `optimiser`, `augmentation`, `objective`, `precision`, `fidelity`,
  `evaluate_every`, `initialisation`: every run, teachers and pretraining included;
- `student`, `compactors`, `method`: the runs that are no teacher here, and for `student` the
  pretraining that such a run starts from;
- `teacher.<any of these>`: the teachers, as rows and behind students alike, and a trained base that a
  student starts from;
- `initialisation.<any of these>`: the pretraining runs;
- `<Class of a method>.<its field>`, for example `RKD.angle_weight`: the runs with that method.

`schedule.epochs` alone shortens or stretches the whole schedule in proportion.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter
from typing import Any

from pydantic import ValidationError

from cdd.contract import Settings
from cdd.recipe import Recipe
from reproduce.errors import UsageError, shortened
from reproduce.planning.override_messages import explain, unknown_key

OWN_FIELDS = {"student", "compactors", "method"}
ROLES = ("teacher", "initialisation")
ORDER = ("every", "own", *ROLES)
"""What is said of fewer runs comes later, so that it wins; of one method alone, last."""
STARTS = (("method", "resetting", "after_epoch"), ("method", "after_epoch"), ("method", "warmup_epochs"))
"""Epochs of methods that belong to the schedule."""
LONGEST_TEXT = 10_000
FORBIDDEN = {"seed": "the seed is an axis of the table: use --seeds"}


@dataclass(frozen=True)
class Override:
    """One change: which runs (a role, or the class of their method), which field, which value."""

    text: str
    role: str
    path: tuple[str, ...]
    value: Any


@dataclass(frozen=True)
class Overrides:
    """All changes of one invocation."""

    changes: tuple[Override, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that name this set of changes, whatever their order."""
        values = sorted([change.role, *change.path, json.dumps(change.value)] for change in self.changes)
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:8]

    @property
    def texts(self) -> list[str]:
        """The changes as they were given."""
        return [change.text for change in self.changes]

    def apply(self, recipes: list[Recipe]) -> list[Recipe]:
        """The recipes of one artifact with the changes made, in the same order.

        Raises:
            UsageError: for a key that no run has, or a value that a run refuses.
        """
        if not self.changes:
            return recipes
        teachers = {recipe.teacher.run_id for recipe in recipes if recipe.teacher}
        changer = _Changer(self.changes)
        changed = [
            changer.change(recipe, "teacher" if recipe.run_id in teachers else "student")
            for recipe in recipes
        ]
        for change in self.changes:
            if change.text not in changer.applied:
                raise UsageError(unknown_key(change.text, ".".join(change.path), change.role, recipes))
        return changed


def parse(texts: list[str]) -> Overrides:
    """Reads `key=value` texts; values are JSON, `a,b,c` lists or plain words.

    Raises:
        UsageError: for a text without `=`, a field that cannot be set, or one that is set twice.
    """
    changes = sorted(
        (_parse(text) for text in texts), key=lambda change: (*ORDER, change.role).index(change.role)
    )
    for first, second in combinations(changes, 2):
        if _collide(first, second):
            raise UsageError(
                f"--set {shortened(first.text)} --set {shortened(second.text)}: one field is set twice; "
                "give one of them"
            )
    return Overrides(tuple(changes))


def _collide(first: Override, second: Override) -> bool:
    """Whether the order of two changes would matter."""
    short, long = sorted((first.path, second.path), key=len)
    same = short == long
    return long[: len(short)] == short and (not same or first.role == second.role)


def _parse(text: str) -> Override:
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"--set {shortened(text)}: {len(text):,} characters are more than {LONGEST_TEXT:,}")
    if not equals or not all(path):
        raise UsageError(f"--set {shortened(text)}: expected key=value, for example --set schedule.epochs=5")
    role = "own" if path[0] in OWN_FIELDS else "every"
    if path[0] in ROLES and len(path) > 1:
        role, path = path[0], path[1:]
    if path[0][0].isupper() and len(path) > 1:
        role, path = path[0], ("method", *path[1:])
    if path[0] in FORBIDDEN:
        raise UsageError(f"--set {shortened(text)}: {FORBIDDEN[path[0]]}")
    return Override(text, role, path, _value(value.strip()))


def _value(text: str) -> Any:
    plain = {"none": "null", "true": "true", "false": "false"}.get(text.lower(), text)
    plain = f"0{plain}" if plain.startswith(".") else plain
    try:
        return json.loads(plain)
    except (ValueError, RecursionError):
        # No JSON, a number of thousands of digits, or brackets without end: a text, which its field refuses.
        return [_value(part.strip()) for part in text.split(",")] if "," in text else text


class _Changer:
    """Applies changes through a chain of recipes and remembers which ones found their field."""

    def __init__(self, changes: tuple[Override, ...]):
        self.changes = changes
        self.applied: set[str] = set()

    def change(self, recipe: Recipe, role: str) -> Recipe:
        """The recipe, its teacher and its pretraining with every change that concerns them."""
        nested: dict[str, Recipe] = {}
        if recipe.teacher:
            nested["teacher"] = self.change(recipe.teacher, "teacher")
        if isinstance(recipe.initialisation, Recipe):
            kind = "base" if recipe.continues else "pretraining"
            nested["initialisation"] = self.change(recipe.initialisation, f"{kind} of {role}")
        updates = [
            (change.path, change.value, change) for change in self.changes if _concerns(change, role, recipe)
        ]
        values = {**_fields(recipe), **nested}
        for path, value, change in updates:
            if _has(recipe, path):
                values = _set(values, path, value)
                self.applied.add(change.text)
        return _validated(values, recipe, [change for path, _, change in updates if _has(recipe, path)])


def _concerns(change: Override, role: str, recipe: Recipe) -> bool:
    if change.role not in ORDER:
        return type(recipe.method).__name__ == change.role
    pretraining = role.startswith("pretraining")
    if change.path[:2] == ("data", "use") and change.role == "every":
        return not pretraining
    if change.role == "every":
        return True
    if change.role == "initialisation":
        return pretraining
    if role.startswith("base"):
        return change.role == "teacher" or change.path[0] == "student"
    wanted = "teacher" if change.role == "teacher" else "student"
    return role == wanted or (role.endswith(f"of {wanted}") and change.path[0] == "student")


def _fields(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in type(settings).model_fields}


def _has(settings: Any, path: tuple[str, ...]) -> bool:
    if not isinstance(settings, Settings) or path[0] not in type(settings).model_fields:
        return False
    return len(path) == 1 or _has(getattr(settings, path[0]), path[1:])


def _set(values: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Plain field values with the one at `path` replaced; settings on the way become drafts."""
    name, *rest = path
    if rest:
        inner = values[name]
        value = _Draft.of(inner).with_value(tuple(rest), value)
    return {**values, name: value}


@dataclass(frozen=True)
class _Draft:
    """Changed settings whose values are not validated yet."""

    original: Settings
    values: dict[str, Any]
    touched: frozenset[str] = frozenset()

    @classmethod
    def of(cls, inner: Any) -> "_Draft":
        return inner if isinstance(inner, _Draft) else cls(inner, _fields(inner))

    def with_value(self, path: tuple[str, ...], value: Any) -> "_Draft":
        return _Draft(self.original, _set(self.values, path, value), self.touched | {path[0]})

    def validated(self) -> Any:
        values = {name: _finished(value) for name, value in self.values.items()}
        return type(self.original).model_validate(values)


def _finished(value: Any) -> Any:
    return value.validated() if isinstance(value, _Draft) else value


def _validated(values: dict[str, Any], recipe: Recipe, changes: list[Override]) -> Recipe:
    try:
        values = _stretched(values, recipe)
        return Recipe.model_validate({name: _finished(value) for name, value in values.items()})
    except ValidationError as error:
        raise UsageError(explain(error, [change.text for change in changes])) from error


def _stretched(values: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Warm-up, flat part and the methods' own epochs in proportion to changed epochs."""
    draft = values["schedule"]
    if (
        not isinstance(draft, _Draft)
        or "epochs" not in draft.touched
        or not _is_count(draft.values["epochs"])
    ):
        return values
    factor = draft.values["epochs"] / recipe.schedule.epochs
    for name in ("warmup_epochs", "flat_until_epoch"):
        if name not in draft.touched:
            values = _set(values, ("schedule", name), draft.values[name] * factor)
    if draft.values["milestones"] and "milestones" not in draft.touched:
        stretched = [milestone * factor for milestone in draft.values["milestones"]]
        values = _set(values, ("schedule", "milestones"), stretched)
    for start in STARTS:
        if _has(recipe, start) and not any(_touched(values, start)):
            before = attrgetter(".".join(start))(recipe)
            values = _set(values, start, int(before * factor))
    return values


def _is_count(value: object) -> bool:
    """Whether the schedule can be stretched to so many epochs; the recipe refuses what it cannot."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _touched(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[bool]:
    """Whether the value at the path was changed."""
    inner = values.get(path[0])
    if len(path) > 1 and isinstance(inner, _Draft):
        if len(path) == 2:
            yield path[1] in inner.touched
        yield from _touched(inner.values, path[1:])
