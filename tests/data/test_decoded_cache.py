"""What was prepared is byte for byte what decoding gives, and is written whole or not at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from cdd.data import decoded_cache as prepared
from cdd.data.decoded_cache import prepare
from cdd.data.registry import listed, load
from cdd.errors import DataError
from cdd.recipe import Data
from tests.data.real_trees import EACH, LAYOUTS, veri_official


def small(name, **changes):
    return Data(name=name, height=12, width=8, **changes)


def was_prepared(data: Data, root: Path) -> bool:
    return prepared.read(data, root, listed(data, root)) is not None


def kept(root: Path) -> list[str]:
    """What preparing left in the data root."""
    return [path.name for path in (root / ".cdd").iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize(("name", "layout"), EACH)
def test_a_prepared_data_set_is_the_one_on_disk(name, layout, tmp_path, monkeypatch):
    LAYOUTS[name][layout](tmp_path)
    before = load(small(name), tmp_path)
    indices = list(range(len(before.records)))[::-1]
    wanted = before.pixels(indices)
    prepare(small(name), tmp_path, listed(small(name), tmp_path))
    monkeypatch.setattr("cdd.data.image_files.decoded", lambda *_: pytest.fail("decoded again"))
    after = load(small(name), tmp_path)
    for field in ("name", "records", "protocols", "digest", "layout", "remarks"):
        assert getattr(after, field) == getattr(before, field)
    torch.testing.assert_close(after.pixels(indices), wanted, rtol=0, atol=0)


def test_each_size_and_choice_of_lists_is_its_own(tmp_path):
    LAYOUTS["msmt17"]["flat"](tmp_path)
    prepare(small("msmt17"), tmp_path, listed(small("msmt17"), tmp_path))
    assert was_prepared(small("msmt17"), tmp_path)
    assert not was_prepared(small("msmt17", msmt17_lists="train"), tmp_path)
    assert not was_prepared(Data(name="msmt17", height=12, width=9), tmp_path)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A data root with VeRi-776, prepared."""
    veri_official(tmp_path)
    prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    return tmp_path


def test_an_unreadable_image_leaves_nothing_behind(tmp_path):
    folder = veri_official(tmp_path)
    next((folder / "image_test").iterdir()).write_text("not an image")
    with pytest.raises(DataError, match="cannot be read"):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    assert kept(tmp_path) == []


def test_what_was_prepared_before_stays_when_preparing_again_fails(ready):
    listing = listed(small("veri776"), ready)
    one = next((ready / "VeRi" / "image_test").iterdir())
    content, was = one.read_bytes(), one.stat()
    one.write_text("not an image")
    with pytest.raises(DataError):
        prepare(small("veri776"), ready, listing)
    one.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"has changed since it was prepared: 1 images, image_test/{one.name}"
    ):
        was_prepared(small("veri776"), ready)
    os.utime(one, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert was_prepared(small("veri776"), ready)


def test_too_little_space_is_said_before_anything_is_decoded(tmp_path, monkeypatch):
    veri_official(tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("cdd.data.decoded_cache.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"need 0\.0 GB .* make room"):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))


def test_a_root_that_cannot_be_written_is_said(tmp_path):
    veri_official(tmp_path)
    (tmp_path / ".cdd").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))


def test_progress_is_told(tmp_path):
    veri_official(tmp_path)
    seen = []
    prepare(
        small("veri776"),
        tmp_path,
        listed(small("veri776"), tmp_path),
        lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (144, 144)


def test_a_root_that_moved_is_read_where_it_is_now(ready, monkeypatch):
    before = load(small("veri776"), ready)
    indices = range(len(before.records))
    wanted = before.pixels(indices)
    moved = ready.rename(ready.with_name("elsewhere"))
    torch.testing.assert_close(load(small("veri776"), moved).pixels(indices), wanted, rtol=0, atol=0)
    monkeypatch.chdir(moved)
    assert load(small("veri776"), Path()).records == before.records


def test_a_change_while_images_are_decoded_is_noticed(tmp_path):
    folder = veri_official(tmp_path)
    one = next((folder / "image_train").iterdir())
    prepare(
        small("veri776"),
        tmp_path,
        listed(small("veri776"), tmp_path),
        lambda done, total: one.write_bytes(one.read_bytes() + b"more"),
    )
    with pytest.raises(DataError, match="has changed since"):
        load(small("veri776"), tmp_path)


def test_two_processes_do_not_prepare_the_same(tmp_path):
    veri_official(tmp_path)
    (tmp_path / ".cdd").mkdir()
    with (
        FileLock(tmp_path / ".cdd" / "veri776-12x8.lock"),
        pytest.raises(DataError, match="another process is preparing"),
    ):
        prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))


def test_what_another_version_prepared_is_refused(ready):
    path = ready / ".cdd" / "veri776-12x8" / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 0}))
    with pytest.raises(DataError, match="another version of this program.* data prepare veri776"):
        load(small("veri776"), ready)


def test_a_killed_process_leaves_nothing_that_is_read(tmp_path):
    veri_official(tmp_path)
    program = (
        "import os, signal, sys, pathlib\n"
        "from cdd.data.registry import listed\n"
        "from cdd.data.decoded_cache import prepare\n"
        "from cdd.recipe import Data\n"
        "data, root = Data(name='veri776', height=12, width=8), pathlib.Path(sys.argv[1])\n"
        "prepare(data, root, listed(data, root), lambda done, total: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode
    assert ended == -signal.SIGKILL
    assert not was_prepared(small("veri776"), tmp_path)
    prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    assert was_prepared(small("veri776"), tmp_path)
    assert kept(tmp_path) == ["veri776-12x8"]


def test_a_disk_that_fills_up_is_a_message_and_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    veri_official(tmp_path)
    listing = listed(small("veri776"), tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(DataError, match="cannot be written: File too large"):
            prepare(small("veri776"), tmp_path, listing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert kept(tmp_path) == []
