"""A file that is not what it says, or that cannot be taken in here, is refused with one message."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reproduce.storage.results_folder import ResultsFolder
from reproduce.transfer.archive import FORMAT, MANIFEST
from tests.reproduce.carried import exported, refused
from tests.reproduce.fakes import a_student, a_teacher
from tests.reproduce.said import Said

STUDENT, TEACHER = a_student("mini", 0), a_teacher("mini", 0)


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A copy of the archive with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    copy = path.with_name("changed.zip")
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return copy


def in_manifest(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps({**json.loads(members[MANIFEST]), **values}).encode()

    return change


def turned(members: dict[str, bytes]) -> None:
    content = bytearray(members["weights.pt"])
    content[len(content) // 2] ^= 1
    members["weights.pt"] = bytes(content)


def longer(members: dict[str, bytes]) -> None:
    members["weights.pt"] += b"more"


def evil(members: dict[str, bytes]) -> None:
    members["../../evil.py"] = b"print('hello')"


def evil_and_announced(members: dict[str, bytes]) -> None:
    manifest = json.loads(members[MANIFEST])
    manifest["members"]["../../evil.py"] = manifest["members"]["weights.pt"]
    members["../../evil.py"] = members["weights.pt"]
    members[MANIFEST] = json.dumps(manifest).encode()


def without_result(members: dict[str, bytes]) -> None:
    manifest = json.loads(members[MANIFEST])
    del manifest["members"]["result.json"], members["result.json"]
    members[MANIFEST] = json.dumps(manifest).encode()


def nameless(members: dict[str, bytes]) -> None:
    del members[MANIFEST]


@pytest.mark.parametrize(
    ("change", "part", "code"),
    [
        (turned, "its weights.pt is not what its manifest says", 1),
        (longer, "its weights.pt is not what its manifest says", 1),
        (evil, "it holds '../../evil.py', which no run has", 1),
        (evil_and_announced, "it holds '../../evil.py', which no run has", 1),
        (without_result, "it lacks result.json", 1),
        (nameless, "it has no manifest", 1),
        (in_manifest(format=FORMAT + 1), f"is of format {FORMAT + 1}, but this version reads", 2),
        (in_manifest(format="new"), "its manifest cannot be read (format", 1),
        (in_manifest(run_id=TEACHER.run_id), f"calls itself run {TEACHER.run_id}, but its recipe", 1),
        (in_manifest(run_id="../../../etc"), "its manifest cannot be read (run_id", 1),
        (in_manifest(published="mini/../.."), "its manifest cannot be read (published", 1),
        (in_manifest(published="/tmp"), "its manifest cannot be read (published", 1),
        (in_manifest(mood="good"), "its manifest cannot be read (mood", 1),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_and_leaves_nothing(
    cluster: Path, laptop: Path, change: Callable[[dict[str, bytes]], None], part: str, code: int
) -> None:
    refused(laptop, rewritten(exported(cluster, STUDENT), change), part, code=code)
    assert not list(laptop.parent.rglob("evil.py"))


def test_a_file_that_is_cut_off_anywhere_is_refused(cluster: Path, laptop: Path) -> None:
    whole = exported(cluster, STUDENT).read_bytes()
    cut = laptop.parent / "cut.zip"
    for share in (0, 0.1, 0.5, 0.99):
        cut.write_bytes(whole[: int(len(whole) * share)])
        refused(laptop, cut, "is no whole run", "export the run anew")
    refused(laptop, laptop.parent / "nowhere.zip", "is no file", code=2)


def test_numbers_of_another_run_are_refused(cluster: Path, laptop: Path) -> None:
    def swap(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[MANIFEST])
        members["result.json"] = members["result.json"].replace(
            STUDENT.run_id.encode(), TEACHER.run_id.encode()
        )
        digest = hashlib.sha256(members["result.json"]).hexdigest()
        manifest["members"]["result.json"]["sha256"] = digest
        members[MANIFEST] = json.dumps(manifest).encode()

    parts = (f"that of run {STUDENT.run_id}", f"numbers are run {TEACHER.run_id}'s")
    refused(laptop, rewritten(exported(cluster, STUDENT), swap), *parts)


def test_a_run_in_other_hands_is_left_alone(cluster: Path, laptop: Path) -> None:
    path = exported(cluster, STUDENT)
    with ResultsFolder(laptop.resolve()).lock(STUDENT.run_id):
        refused(laptop, path, "in the hands of another process", code=2)


def test_a_file_is_never_overwritten_and_needs_a_folder(cluster: Path, tmp_path: Path) -> None:
    path = exported(cluster, STUDENT)
    for out, part in ((path, "exists already"), (tmp_path / "no" / "file.zip", "is no folder")):
        said = Said("export-run", STUDENT.run_id, "--results", cluster, "--out", out)
        assert said.code == 2
        assert part in said.err
