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
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter
from typing import Any, TypeGuard, TypeVar

from pydantic import ValidationError

from cdd.contract import Settings
from cdd.recipe import Recipe
from reproduce.errors import UsageError, shortened
from reproduce.planning.override_messages import explain, unknown_key

Kind = TypeVar("Kind", bound=Settings)
FieldPath = tuple[str, ...]
"""Names of fields from a recipe to the one that is meant."""
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
    path: FieldPath
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
        made = [
            change for change in self.changes if _concerns(change, role, recipe) and _has(recipe, change.path)
        ]
        self.applied.update(change.text for change in made)
        updates = _stretched({change.path: change.value for change in made}, recipe)
        try:
            return _updated(recipe.model_copy(update=nested), updates)
        except ValidationError as error:
            raise UsageError(explain(error, [change.text for change in made])) from error


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


def _has(settings: Any, path: FieldPath) -> bool:
    if not isinstance(settings, Settings) or path[0] not in type(settings).model_fields:
        return False
    return len(path) == 1 or _has(getattr(settings, path[0]), path[1:])


def _updated(settings: Kind, updates: Mapping[FieldPath, Any]) -> Kind:
    """The settings with other values at these paths, validated from the inside out."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    for name in dict.fromkeys(path[0] for path in updates):
        inner = {path[1:]: value for path, value in updates.items() if path[0] == name}
        values[name] = inner[()] if () in inner else _updated(values[name], inner)
    return type(settings).model_validate(values)


def _stretched(updates: Mapping[FieldPath, Any], recipe: Recipe) -> Mapping[FieldPath, Any]:
    """With changed epochs: warm-up, flat part and the methods' own epochs in proportion, unless set too."""
    epochs, schedule = updates.get(("schedule", "epochs")), recipe.schedule
    if not _is_count(epochs):
        return updates
    factor = epochs / schedule.epochs
    stretched: dict[FieldPath, Any] = {
        ("schedule", "warmup_epochs"): schedule.warmup_epochs * factor,
        ("schedule", "flat_until_epoch"): schedule.flat_until_epoch * factor,
        ("schedule", "milestones"): [milestone * factor for milestone in schedule.milestones],
    }
    for start in STARTS:
        if _has(recipe, start):
            stretched[start] = int(attrgetter(".".join(start))(recipe) * factor)
    return {**stretched, **updates}


def _is_count(value: object) -> TypeGuard[int]:
    """Whether the schedule can be stretched to so many epochs; the recipe refuses what it cannot."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
