"""Estimates of a run's time: from finished runs like it on the same device, else from a calibration."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

from cdd.data.dataset_size import dataset_size
from cdd.files import atomic_write, read_json
from cdd.recipe import Recipe
from cdd.training.throughput import Throughput
from reproduce.storage.run_record import read_record, record_files
from reproduce.tracking.recipe_keys import timing_key
from reproduce.tracking.store import FINISHED, IMPORTED, StoredRun

CALIBRATION = "calibration.json"
"""What a device was measured to do, kept beside the results for later plans."""
Measure = Callable[[Recipe], Throughput]


@dataclass(frozen=True)
class Estimate:
    """Seconds of work left and what they were concluded from; None where nothing is known.

    `peak_memory` is in bytes, of the device, where it was measured.
    """

    seconds: float | None
    basis: str
    peak_memory: int | None = None


@dataclass(frozen=True)
class SpeedHistory:
    """Seconds per epoch of finished runs and what was calibrated, by shape, on one kind of device."""

    per_epoch: Mapping[str, list[float]]
    device: str
    calibrated: Mapping[str, Throughput] = field(default_factory=dict)
    reference: Path | None = None
    """Folder of the committed runs, of whatever machine; asked where nothing is known of this one."""

    def reference_of(self, key: str) -> list[tuple[float, str]]:
        """Seconds per epoch, and the device's name, of committed runs of this shape on such a device."""
        return self._by_shape.get(key, [])

    @cached_property
    def _by_shape(self) -> dict[str, list[tuple[float, str]]]:
        found: dict[str, list[tuple[float, str]]] = {}
        for record in map(read_record, record_files(self.reference).values() if self.reference else ()):
            made, recipe = record.environment, Recipe.from_json(record.recipe)
            if made.get("device") == self.device and "seconds" in record.metrics:
                seconds = record.metrics["seconds"] / recipe.schedule.epochs
                found.setdefault(timing_key(recipe), []).append(
                    (seconds, str(made.get("device_name", "unknown")))
                )
        return found

    @classmethod
    def measured(
        cls,
        trainings: Mapping[str, list[StoredRun]],
        device: str,
        calibrated: Mapping[str, Throughput] | None = None,
        reference: Path | None = None,
    ) -> "SpeedHistory":
        """What the store's finished runs took on this kind of device."""
        found: dict[str, list[float]] = {}
        for run in (run for runs in trainings.values() for run in runs):
            # Another machine's seconds say nothing of this one.
            own = run.status == FINISHED and IMPORTED not in run.tags
            usable = own and run.environment.get("device") == device and run.epochs > 0
            if usable and "seconds" in run.metrics:
                found.setdefault(run.tags.get("cdd.shape", ""), []).append(
                    run.metrics["seconds"] / run.epochs
                )
        return cls(found, device, calibrated or {}, reference)


def estimate(recipe: Recipe, speed: SpeedHistory, epochs_done: int) -> Estimate:
    """What is left of this run: remaining epochs times the median epoch of runs of its shape."""
    known = speed.per_epoch.get(timing_key(recipe), [])
    left = max(recipe.schedule.epochs - epochs_done, 0)
    pace = speed.calibrated.get(timing_key(recipe))
    if not known and pace:
        seconds = round(_epoch(recipe, pace) * left, 1)
        return Estimate(seconds, f"calibrated on {speed.device}", pace.peak_memory)
    if not known:
        return _from_reference(recipe, speed, left)
    plural = "run" if len(known) == 1 else "runs"
    return Estimate(
        round(median(known) * left, 1), f"{len(known)} finished {plural} of this shape on {speed.device}"
    )


def _from_reference(recipe: Recipe, speed: SpeedHistory, left: int) -> Estimate:
    known = speed.reference_of(timing_key(recipe))
    if not known:
        return Estimate(None, f"no finished run of this shape on {speed.device}")
    names = ", ".join(sorted({name for _, name in known}))
    plural = "run" if len(known) == 1 else "runs"
    seconds = median(seconds for seconds, _ in known)
    return Estimate(round(seconds * left, 1), f"{len(known)} reference {plural} of this shape on {names}")


def _epoch(recipe: Recipe, pace: Throughput) -> float:
    """Seconds of an epoch without the decoding of images, its share of an evaluation included."""
    size = dataset_size(recipe.data)
    steps = size.training_images // recipe.batch.size
    return (
        steps * pace.seconds_per_step + size.evaluated_images * pace.seconds_per_image / recipe.evaluate_every
    )


def total(estimates: list[Estimate]) -> tuple[float, int]:
    """Sum of the known estimates in seconds, and how many are unknown."""
    known = [found.seconds for found in estimates if found.seconds is not None]
    return sum(known), len(estimates) - len(known)


def calibrated(results: Path, device: str) -> dict[str, Throughput]:
    """What was measured on this device, by shape."""
    return dict(_read(results).get(device, {}))


def calibrate(recipes: list[Recipe], results: Path, device: str, measure: Measure) -> None:
    """Measures one recipe of every shape that the file does not have, and writes each down at once."""
    for recipe in recipes:
        name = timing_key(recipe)
        stored = _read(results)
        if name not in stored.get(device, {}):
            pace = measure(recipe)
            _write(results, {**stored, device: {**stored.get(device, {}), name: pace}})


def _read(results: Path) -> dict[str, dict[str, Throughput]]:
    path = results / CALIBRATION
    remedy = "Delete that file: plan --calibrate measures again."
    return read_json(path, dict[str, dict[str, Throughput]], remedy) if path.exists() else {}


def _write(results: Path, values: Mapping[str, Mapping[str, Throughput]]) -> None:
    plain = {device: {name: asdict(pace) for name, pace in paces.items()} for device, paces in values.items()}
    atomic_write(results / CALIBRATION, json.dumps(plain, indent=2))
