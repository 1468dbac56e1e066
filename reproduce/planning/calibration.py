"""What a device was measured to do, kept beside the results for later plans."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from cdd.files import atomic_write, read_json
from cdd.recipe import Recipe
from cdd.training.pace import Pace
from reproduce.tracking.recipe_keys import shape

FILE = "calibration.json"
Measure = Callable[[Recipe], Pace]


def calibrated(results: Path, device: str) -> dict[str, Pace]:
    """What was measured on this device, by shape."""
    return dict(_read(results).get(device, {}))


def calibrate(recipes: list[Recipe], results: Path, device: str, measure: Measure) -> None:
    """Measures one recipe of every shape that the file does not have, and writes each down at once."""
    for recipe in recipes:
        name = shape(recipe)
        stored = _read(results)
        if name not in stored.get(device, {}):
            pace = measure(recipe)
            _write(results, {**stored, device: {**stored.get(device, {}), name: pace}})


def _read(results: Path) -> dict[str, dict[str, Pace]]:
    path = results / FILE
    remedy = "Delete that file: plan --calibrate measures again."
    return read_json(path, dict[str, dict[str, Pace]], remedy) if path.exists() else {}


def _write(results: Path, values: Mapping[str, Mapping[str, Pace]]) -> None:
    plain = {device: {name: asdict(pace) for name, pace in paces.items()} for device, paces in values.items()}
    atomic_write(results / FILE, json.dumps(plain, indent=2))
