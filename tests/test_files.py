"""Files are put in place whole or not at all, and read strictly."""

import errno
import os
import re
import time
from pathlib import Path

import pytest

from cdd.errors import DataError, WriteError
from cdd.files import Finite, atomic_write, inside, parse_json, read_json, replacing, sweep


def full_disk(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_written_is_there_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "page.html"
    for content in ("größer\n", b"\x00\xff"):
        atomic_write(path, content)
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [found.name for found in path.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize("before", [b"whole", None])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    path = tmp_path / "page.html"
    if before is not None:
        path.write_bytes(before)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(WriteError, match=r"page\.html cannot be written: No space left on device\. .* whole"):
        atomic_write(path, b"new")
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == (
        {} if before is None else {"page.html": before}
    )


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(WriteError, match=r"results/page\.html cannot be written"):
        atomic_write(tmp_path / "results" / "page.html", "new")


def test_a_block_that_fails_puts_nothing_in_place(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert [found.read_text() for found in tmp_path.iterdir()] == ["old"]


def test_a_link_stays_a_link_and_a_mode_a_mode(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    atomic_write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_as_it_is() -> None:
    atomic_write(Path("/dev/null"), "gone")
    assert not Path("/dev/null").is_file()


def test_what_a_killed_writer_left_goes_in_time(tmp_path: Path) -> None:
    left, young = tmp_path / "a.json.1-2.partial", tmp_path / "a.json.3-4.partial"
    for path in (left, young):
        path.write_text("half")
    os.utime(left, (time.time() - 7200,) * 2)
    atomic_write(tmp_path / "a.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", young.name]
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a file in"):
        inside(tmp_path, name)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": true}',
        '{"a": "1"}',
        '{"a": null}',
        '{"a": [1]}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
    ]
    + ["[1]", "1", "", '{"a": 1', "\xff", "[" * 100_000],
)
def test_what_is_of_another_type_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "numbers.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"numbers\.json is damaged: .*\. Delete it\.") as found:
        read_json(path, dict[str, Finite], "Delete it.")
    assert "\n" not in str(found.value)


def test_a_whole_number_stays_one() -> None:
    assert repr(parse_json('{"a": 1, "b": 1.5}', dict[str, Finite])) == "{'a': 1, 'b': 1.5}"


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: Is a directory\. Delete it\."):
        read_json(tmp_path, dict[str, Finite], "Delete it.")


def test_every_other_file_is_written_by_these_helpers() -> None:
    root = Path(__file__).parents[1]
    in_place = re.compile(r"\.write_(text|bytes)\(|torch\.(save|load)\(|\.open\(\"[wx]|np\.savez?\(")
    helpers = {"cdd/files.py", "cdd/tensor_files.py"}
    exempt = {*helpers, "cdd/data/decoded_cache.py", "reproduce/transfer/archive.py"}  # They rename, too.
    found = {
        f"{path.relative_to(root)}: {line.strip()}"
        for package in ("cdd", "reproduce")
        for path in (root / package).rglob("*.py")
        if str(path.relative_to(root)) not in exempt
        for line in path.read_text(encoding="utf-8").splitlines()
        if in_place.search(line)
    }
    assert not found, "use cdd.files.atomic_write or cdd.tensor_files"
