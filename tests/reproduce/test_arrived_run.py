"""Everything in the file of a run is checked before anything is placed; what fails leaves nothing."""

import hashlib
import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cdd.errors import RunError
from cdd.files import atomic_write
from cdd.models.deployed import save_deployed
from cdd.models.network import RetrievalNetwork
from cdd.models.zoo import BACKBONES
from cdd.recipe import Recipe
from cdd.tensor_files import write_tensors
from cdd.training.environment import Machine
from reproduce.arrived_run import Arrived, arrived_run
from reproduce.import_run import _unpacking, import_run
from reproduce.run_archive import MANIFEST, RECIPE, Manifest, Origin, pack
from reproduce.tracked_copy import Snapshot
from reproduce.workspace import Workspace
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


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, deployed: Path) -> Path:
    """The file of a student, made without a store."""
    folder = tmp_path_factory.mktemp("run")
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


def test_a_whole_file_is_taken(whole: Path, tmp_path: Path) -> None:
    found = arrived(rewritten(whole, tmp_path / "copy.zip", lambda members: None), tmp_path)
    assert found.recipe == STUDENT
    assert found.environment["git_commit"] == "0" * 40
    assert found.copy == a_snapshot(3)


CURVE = "system/cpu_utilization_percentage"
TRACKING = [
    (at("started", value=2**62), "started"),
    (at("started", value=-1), "started"),
    (at("started", value=4_102_444_800_000), "started"),
    (at("ended", value="soon"), "ended"),
    (at("ended", value=True), "ended"),
    (at("name", value="\x1b[2J"), "name"),
    (at("experiment", value=""), "experiment"),
    (at("metrics", value=[]), "metrics"),
    (at("metrics", CURVE, value=[[2**62, 0, 1.0]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 2**62, 1.0]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 0, "1"]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 0]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 0, 1.0], [0, 0, 1.0]]), "is there twice"),
    (at("metrics", "../../evil", value=[[0, 0, 1.0]]), "metrics"),
    (at("metrics", "a\x00b", value=[[0, 0, 1.0]]), "metrics"),
    (at("metrics", "epoch", value=[[1, 0, 1e300]]), "it is not 1 to 3"),
    (at("metrics", "deployed/camera_rule/mAP", value=[[3, 0, 1.0]]), "it is not what the result says"),
    (at("metrics", "deployed/other", value=[[3, 0, 1.0]]), "it is not what the result says"),
    (at("tags", value=["a"]), "tags"),
    (at("tags", "cdd.workplace", value=1), "tags"),
    (at("tags", "cdd.workplace", value="x" * 8001), "tags"),
    (at("tags", "cdd.superseded", value="yes"), "cdd.superseded is not carried"),
    (at("tags", "cdd.environment", value="{"), "cdd.environment is not carried"),
    (at("tags", "mlflow.parentRunId", value="0"), "mlflow.parentRunId is not carried"),
    (at("mood", value="good"), "mood"),
    (lambda values: [values], "an object"),
]
RESULT = [
    (at("metrics", value=[0.5]), "metrics"),
    (at("metrics", "camera_rule/mAP", value="0.5"), "metrics"),
    (at("metrics", "camera_rule/mAP", value=float("nan")), "metrics"),
    (at("metrics", "../evil", value=1.0), "is no plain name"),
    (at("history", value=[]), "has 0 epochs of 3"),
    (at("history", 1, "number", value=7), "not 1, 2, 3"),
    (at("history", 1, "metrics", value=None), "history.1.metrics"),
    (at("history", 0, "metrics", "loss/total", value=float("inf")), "history.0.metrics"),
    (at("channels", value=[1.5]), "channels"),
    (at("average_precision", "camera_rule", value=[2.0]), "average_precision"),
    (at("average_precision", "camera_rule", value=0.5), "average_precision"),
    (at("first_is_right", "camera_rule", value=[1, 0]), "has 1 queries in average_precision and 2"),
    (at("query_identities", "camera_rule", value=[2**63]), "query_identities"),
    (at("environment", "data_digest", value="/../../evil"), "data_digest"),
    (at("environment", "data_digest", value=None), "data_digest"),
    (at("environment", "device", value={"a": 1}), "environment"),
    (at("environment", "device", value="cpu\ncuda"), "'device' is not one line"),
    (at("environment", "device", value="x" * 9000), "more than 8000"),
    (at("run_id", value="../../../evil"), "run_id"),
    (at("run_id", value=TEACHER.run_id), f"numbers are run {TEACHER.run_id}'s"),
    (lambda values: None, "an object"),
]
OTHERS = [
    ("source.json", lambda values: [1], "its source.json is damaged"),
    ("source.json", at("torch", value={"a": 1}), "its source.json is damaged"),
    (RECIPE, at("schedule", "epochs", value="many"), "its recipe.json"),
    (RECIPE, at("method", value={"method": "cdd.methods.nothing:Nothing"}), "its recipe.json"),
    (RECIPE, at("method", value=3), "its recipe.json"),
    (RECIPE, at("teacher", "seed", value=1), "but its recipe is that of run"),
    (RECIPE, lambda values: "recipe", "its recipe.json"),
    (MANIFEST, at("label", value="a\x1b[31m"), "its manifest cannot be read (label"),
    (MANIFEST, at("origin", "mlflow_id", value="a\nb"), "its manifest cannot be read (origin.mlflow_id"),
    (MANIFEST, at("published", value="mini/studies/../../.."), "its manifest cannot be read (published"),
]
FORGERIES = [("tracking.json", *case) for case in TRACKING] + [("result.json", *case) for case in RESULT]


@pytest.mark.parametrize(("name", "change", "part"), [*FORGERIES, *OTHERS])
def test_a_value_that_no_run_has_is_refused(
    whole: Path, tmp_path: Path, name: str, change: Change, part: str
) -> None:
    refused(rewritten(whole, tmp_path / "forged.zip", forged(name, change)), tmp_path, part)


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b", "..", "", "a b", "a\x00"])
def test_the_name_of_a_data_set_never_becomes_a_path(whole: Path, tmp_path: Path, name: str) -> None:
    values = at("data", "name", value=name)(STUDENT.to_json())
    try:
        run_id = Recipe.from_json(values).run_id
    except ValueError:
        run_id = STUDENT.run_id  # Recipes refuse it themselves.

    def change(members: Members) -> None:
        members[RECIPE] = json.dumps(values).encode()
        for member in (MANIFEST, "result.json"):
            members[member] = members[member].replace(STUDENT.run_id.encode(), run_id.encode())

    refused(rewritten(whole, tmp_path / "forged.zip", change), tmp_path, "its recipe.json")


def other_networks(tmp_path: Path) -> dict[str, bytes]:
    backbone, path = BACKBONES["resnet18"].model_copy(update={"planes": (4, 4, 4, 4)}), tmp_path / "other.pt"
    save_deployed(RetrievalNetwork(backbone, 8, folded=True), backbone, path)
    of_another = path.read_bytes()
    write_tensors(path, {"a": torch.tensor(float("nan"))})
    return {"deployed.pt": of_another, "weights.pt": path.read_bytes()}


def test_networks_are_read_before_they_are_placed(whole: Path, tmp_path: Path) -> None:
    others = other_networks(tmp_path)
    cases = [
        ("deployed.pt", others["deployed.pt"], "is the deployed network of another run"),
        ("weights.pt", others["weights.pt"], "no numbers (NaN or infinite)"),
        ("weights.pt", b"<html>", "a web page"),
        ("deployed.pt", b"", "is empty"),
    ]
    for name, content, part in cases:

        def change(members: Members, name: str = name, content: bytes = content) -> None:
            members[name] = content

        refused(rewritten(whole, tmp_path / "forged.zip", change), tmp_path, part)


def entry(name: str, kind: int) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = (kind | 0o644) << 16
    found.compress_type = zipfile.ZIP_DEFLATED
    return found


def test_links_devices_and_bombs_are_refused_before_a_byte_is_written(whole: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = bytes(150 << 20)
    cases = [
        (entry("weights.pt", stat.S_IFLNK), members["weights.pt"], "is no plain file"),
        (entry("weights.pt", stat.S_IFCHR), members["weights.pt"], "is no plain file"),
        (entry("weights.pt", stat.S_IFREG), bomb, "unfolds to 157,286,400 bytes"),
    ]
    for found, content, part in cases:
        manifest = json.loads(members[MANIFEST])
        manifest["members"]["weights.pt"] |= {"bytes": len(content)}
        path = tmp_path / "forged.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, own in {**members, MANIFEST: json.dumps(manifest).encode()}.items():
                archive.writestr(
                    found if name == "weights.pt" else name, content if name == "weights.pt" else own
                )
        refused(path, tmp_path, part)


def test_no_flipped_bit_of_a_file_passes(whole: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "flipped.zip", whole.read_bytes()
    for place in range(0, len(content) - 100, len(content) // 40):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(bytes(flipped))
        refused(path, tmp_path, "")


def test_a_member_that_is_there_twice_is_refused(whole: Path, tmp_path: Path) -> None:
    path = rewritten(whole, tmp_path / "twice.zip", lambda members: None)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("weights.pt", b"other")
    refused(path, tmp_path, "its members are not those of its manifest")


def test_what_a_killed_import_left_is_removed_by_the_next(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    words = f"""
import os, sys
from pathlib import Path
from reproduce.import_run import _unpacking
from reproduce.workspace import Workspace
with _unpacking(Workspace(Path({str(tmp_path)!r}))) as folder:
    (folder / "weights.pt").write_text("half")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", words], env=os.environ, check=False).returncode == -9
    (killed,) = workspace.checkpoints.glob("importing-*/")
    older = workspace.checkpoints / "importing-x8s_k2"
    older.mkdir()
    with _unpacking(workspace) as folder:
        assert not killed.exists()
        assert not older.exists()
        with _unpacking(workspace):
            assert folder.exists()  # Its process lives.
    assert list(workspace.checkpoints.iterdir()) == []
