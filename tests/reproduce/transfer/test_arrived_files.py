"""The members of a run's file are checked before they are placed; what a killed import left is removed."""

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from cdd.models.deployed import save_deployed
from cdd.models.network import RetrievalNetwork
from cdd.models.zoo import BACKBONES
from cdd.tensor_files import write_tensors
from reproduce.storage.results_folder import ResultsFolder
from reproduce.transfer.archive import MANIFEST
from reproduce.transfer.importing import _unpacking
from tests.reproduce.archives import Members, refused, rewritten


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
    workspace = ResultsFolder(tmp_path)
    words = f"""
import os, sys
from pathlib import Path
from reproduce.transfer.importing import _unpacking
from reproduce.storage.results_folder import ResultsFolder
with _unpacking(ResultsFolder(Path({str(tmp_path)!r}))) as folder:
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
