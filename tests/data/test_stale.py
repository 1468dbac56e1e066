"""What was prepared is refused once it, or an image that is used, has changed; nothing else makes it so."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cdd.data.decoded_cache import prepare
from cdd.data.registry import listed, load
from cdd.errors import DataError
from cdd.recipe import Data
from tests.data.real_trees import msmt_official, veri_flat, veri_official


def small(name):
    return Data(name=name, height=12, width=8)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A data root with VeRi-776, prepared."""
    veri_official(tmp_path)
    prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    return tmp_path


def test_an_edited_list_is_noticed_and_an_image_beside_it_changes_nothing(ready):
    one = next((ready / "VeRi" / "image_test").iterdir())
    shutil.copy(one, one.with_name("0024_c003_00090000_0.jpg"))
    load(small("veri776"), ready)
    with (ready / "VeRi" / "name_test.txt").open("a") as names:
        names.write("0024_c003_00090000_0.jpg\n")
    with pytest.raises(DataError, match="has changed since .* 1 images, image_test/0024_c003_00090000_0.jpg"):
        load(small("veri776"), ready)
    prepare(small("veri776"), ready, listed(small("veri776"), ready))
    load(small("veri776"), ready)


def overwritten(path: Path) -> None:
    """Another image of the same size in bytes, written in place."""
    content = bytearray(path.read_bytes())
    content[-20:-2] = content[-38:-20]
    with path.open("r+b") as file:
        file.write(content)
    # Where a clock has few ticks a second, this is later than what was prepared.
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1000))


CHANGES = {
    "overwritten in place": lambda folder, one: overwritten(one),
    "longer": lambda folder, one: one.write_bytes(one.read_bytes() + b"x"),
    "removed": lambda folder, one: one.unlink(),
    "renamed": lambda folder, one: one.rename(one.with_name("0021_c001_00990000_0.jpg")),
    "added": lambda folder, one: shutil.copy(one, one.with_name("0021_c001_00990000_0.jpg")),
    "replaced by a link": lambda folder, one: (
        one.rename(folder / "x"),
        one.symlink_to(next(folder.glob("train/*"))),
    ),
}
SAME = {
    "a file of the system": lambda folder, one: [
        (path / ".DS_Store").write_text("x") for path in (folder, one.parent)
    ],
    "a hidden image": lambda folder, one: one.with_name("._hidden.jpg").write_text("x"),
    "times of folders": lambda folder, one: os.utime(one.parent, (1, 1)),
    "a link to itself": lambda folder, one: (one.rename(folder / "x"), one.symlink_to(folder / "x")),
    "read": lambda folder, one: os.utime(one, ns=(0, one.stat().st_mtime_ns)),
}


@pytest.mark.parametrize("change", [*CHANGES, *SAME])
def test_only_the_images_that_are_used_make_it_stale(change, tmp_path):
    folder = veri_flat(tmp_path)
    prepare(small("veri776"), tmp_path, listed(small("veri776"), tmp_path))
    one = folder / "query" / "0021_c001_00000600_0.jpg"
    {**CHANGES, **SAME}[change](folder, one)
    if change in SAME:
        load(small("veri776"), tmp_path)
        return
    with pytest.raises(
        DataError, match=r"has changed since it was prepared: [12] images, query/0021.* data prepare"
    ):
        load(small("veri776"), tmp_path)


def test_other_identities_or_another_order_of_the_same_images_are_noticed(tmp_path):
    folder = msmt_official(tmp_path)
    prepare(small("msmt17"), tmp_path, listed(small("msmt17"), tmp_path))
    lists = folder / "list_query.txt"
    lines = lists.read_text().splitlines()
    for changed in ([lines[0].replace(" 0", " 7"), *lines[1:]], lines[::-1]):
        lists.write_text("\n".join(changed))
        with pytest.raises(DataError, match=r"its identities or their order\. .* --msmt17-lists train\+val$"):
            load(small("msmt17"), tmp_path)
    lists.write_text("\n".join(lines))
    load(small("msmt17"), tmp_path)


def flipped(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place, os.SEEK_END if place < 0 else os.SEEK_SET)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 16]))


@pytest.mark.parametrize("place", [-1, 128, 128 + 12 * 8 * 3 * 70])
def test_a_flipped_bit_among_the_pixels_is_never_given_out(place, ready):
    flipped(ready / ".cdd" / "veri776-12x8" / "pixels.npy", place)
    dataset = load(small("veri776"), ready)
    everything = range(len(dataset.records))
    with pytest.raises(DataError, match="is damaged: 1 of 144 images .* data prepare veri776"):
        dataset.pixels(everything)
    number = {-1: 143, 128: 0}.get(place, 70)
    dataset.pixels([index for index in everything if index != number])
    prepare(small("veri776"), ready, listed(small("veri776"), ready))
    load(small("veri776"), ready).pixels(everything)


@pytest.mark.parametrize("part", ["index.json", "pixels.npy"])
@pytest.mark.parametrize("place", [0, 7, 9, 25, 60, 100])
def test_a_flipped_bit_at_the_beginning_is_refused(part, place, ready):
    flipped(ready / ".cdd" / "veri776-12x8" / part, place)
    with pytest.raises(DataError, match="data prepare veri776"):
        load(small("veri776"), ready)


FORGED = [b"", b"[]", b"null", b"{}", b"[" * 100_000, b"\xff", b'{"format": 2}']


@pytest.mark.parametrize("content", FORGED)
def test_an_index_of_another_form_is_named(content, ready):
    (ready / ".cdd" / "veri776-12x8" / "index.json").write_bytes(content)
    with pytest.raises(DataError, match="veri776-12x8 is damaged: .*data prepare veri776"):
        load(small("veri776"), ready)


@pytest.mark.parametrize("change", [{"images": 3}, {"images": [3]}, {"images": [[[], 1]]}, {"digests": []}])
def test_a_forged_index_is_refused(change, ready):
    path = ready / ".cdd" / "veri776-12x8" / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="data prepare veri776"):
        load(small("veri776"), ready)


@pytest.mark.parametrize("part", ["index.json", "pixels.npy"])
@pytest.mark.parametrize(
    "change", [lambda content: content[:40], lambda content: content + b"x", lambda _: b""]
)
def test_damaged_files_are_named(part, change, ready):
    path = ready / ".cdd" / "veri776-12x8" / part
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match="is damaged: .* data prepare veri776"):
        load(small("veri776"), ready)
