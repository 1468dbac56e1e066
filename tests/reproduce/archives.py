"""The file of a run, made without a store, and forgeries of it."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdd.errors import RunError
from cdd.files import atomic_write
from cdd.training.environment import Machine
from reproduce.tracking.snapshot import Snapshot
from reproduce.transfer.archive import MANIFEST, RECIPE, Manifest, Origin, pack
from reproduce.transfer.arrived_run import Arrived, arrived_run
from reproduce.transfer.importing import import_run
from tests.reproduce.fakes import FakeTraining, a_student, a_teacher

STUDENT, TEACHER = a_student("mini", 0), a_teacher("mini", 0)
Members = dict[str, bytes]
Change = Callable[[Any], Any]
ORIGIN = Origin(workplace="01234567", mlflow_id="0" * 32)


def a_snapshot(epochs: int) -> Snapshot:
    times = [(step, 1_700_000_000_000 + step, float(step)) for step in range(1, epochs + 1)]
    return Snapshot(
        name="Student at 16x16, seed 0",
        experiment="tiny-mini",
        started=1_700_000_000_000,
        ended=1_700_000_001_000,
        tags={"cdd.workplace": "01234567", "mlflow.source.git.commit": "0" * 40},
        metrics={"epoch": times, "system/cpu_utilization_percentage": [(0, 1_700_000_000_000, 37.5)]},
    )


def packed_student(folder: Path, deployed: Path) -> Path:
    """The file of a student, made without a store."""
    (folder / "teacher.pt").touch()
    weights = {TEACHER.run_id: folder / "teacher.pt"}
    result = FakeTraining(deployed)(STUDENT, folder, weights=weights, machine=Machine(device="cpu"))
    atomic_write(folder / RECIPE, json.dumps(STUDENT.to_json()))
    atomic_write(folder / "source.json", json.dumps({"torch": "2.13.0", "git_commit": "0" * 40}))
    a_snapshot(len(result.history)).save(folder)
    path = folder / "run.zip"
    pack(Manifest(run_id=STUDENT.run_id, label="Student", published="mini", origin=ORIGIN), folder, path)
    return path


def rewritten(path: Path, copy: Path, change: Callable[[Members], None]) -> Path:
    """A copy with other members, whose manifest fits them."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    manifest = json.loads(members.pop(MANIFEST))
    manifest["members"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
    }
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in {MANIFEST: json.dumps(manifest).encode(), **members}.items():
            archive.writestr(name, content)
    return copy


def forged(name: str, change: Change) -> Callable[[Members], None]:
    def changed(members: Members) -> None:
        members[name] = json.dumps(change(json.loads(members[name]))).encode()

    return changed


def at(*path: str | int, value: Any) -> Change:
    """The values with another one in this place."""

    def changed(values: Any) -> Any:
        inner = values
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return values

    return changed


def refused(path: Path, tmp_path: Path, part: str) -> None:
    results = tmp_path / "results"
    with pytest.raises(RunError, match="is no whole run: .* Nothing was imported") as found:
        import_run(path, results)
    assert part in str(found.value), str(found.value)
    assert str(path) in str(found.value)
    assert "\n" not in str(found.value)
    assert not results.exists()
    assert not (tmp_path / "evil").exists()


def arrived(path: Path, tmp_path: Path) -> Arrived:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return arrived_run(path, folder)
