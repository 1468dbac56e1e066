"""Key of a recipe by which times per epoch compare."""

import hashlib
import json

from cdd.recipe import Recipe


def timing_key(recipe: Recipe) -> str:
    """Hash of what decides how long one epoch takes: two runs of one shape take the same time."""
    method = recipe.method.model_dump(mode="json")
    values = {
        "data": recipe.data.model_dump(mode="json"),
        "student": recipe.student.model_dump(mode="json"),
        "teacher": recipe.teacher.student.model_dump(mode="json") if recipe.teacher else None,
        "compactors": recipe.compactors,
        "method": type(recipe.method).__name__,
        "parts": {name: sorted(value) for name, value in method.items() if isinstance(value, dict)},
        "batch": recipe.batch.model_dump(mode="json"),
        "precision": recipe.precision,
        "evaluate_every": recipe.evaluate_every,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
