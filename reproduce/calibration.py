"""What a device was measured to do, kept beside the results for later plans."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cdd.recipe import Recipe
from cdd.training.calibration import Pace
from reproduce.shape import shape

FILE = "calibration.json"
Measure = Callable[[Recipe], Pace]


def calibrated(results: Path, device: str) -> dict[str, Pace]:
    """What was measured on this device, by shape."""
    stored = _read(results).get(device, {})
    return {name: Pace(**values) for name, values in stored.items()}


def calibrate(recipes: list[Recipe], results: Path, device: str, measure: Measure) -> None:
    """Measures one recipe of every shape that the file does not have, and writes each down at once."""
    for recipe in recipes:
        name = shape(recipe)
        stored = _read(results)
        if name not in stored.get(device, {}):
            pace = measure(recipe)
            _write(results, {**stored, device: {**stored.get(device, {}), name: asdict(pace)}})


def _read(results: Path) -> Mapping[str, dict[str, dict[str, Any]]]:
    path = results / FILE
    if not path.exists():
        return {}
    try:
        found: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: {error}. Delete it: plan --calibrate measures again."
        ) from error
    return found


def _write(results: Path, values: Mapping[str, object]) -> None:
    results.mkdir(parents=True, exist_ok=True)
    partial = (results / FILE).with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=2), encoding="utf-8")
    partial.replace(results / FILE)
