"""Lists of images: nothing is lost or read twice in silence, and no name leads out of the data set."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdd.data.image_list import ImageList
from cdd.data.readers.list_files import distinct, lines_of, number_of, path_in
from cdd.data.registry import listed
from cdd.errors import DataError
from cdd.recipe import Data
from tests.data.real_trees import (
    in_shop_fast_reid,
    in_shop_official,
    jpeg,
    msmt_official,
    shots,
    veri_official,
)

WRITERS: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "veri776": ("veri776", veri_official, "name_query.txt"),
    "msmt17": ("msmt17", msmt_official, "list_query.txt"),
    "in-shop": ("in-shop", in_shop_official, "Eval/list_eval_partition.txt"),
    "fast-reid": ("in-shop", in_shop_fast_reid, "test_query.txt"),
}
each_list = pytest.mark.parametrize("kind", WRITERS)


def written(kind: str, root: Path) -> tuple[Callable[[], ImageList], Path]:
    """What lists a copy of this kind, and one of its lists."""
    name, write, file = WRITERS[kind]
    folder = write(root)
    return lambda: listed(Data(name=name), root), folder / file


def edited(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


HEADS = {
    "both": (lambda lines: lines, 0),
    "only the count": (lambda lines: lines[:1] + lines[2:], 0),
    "only the columns": (lambda lines: lines[1:], 1),
    "neither": (lambda lines: lines[2:], 1),
}


@pytest.mark.parametrize("head", HEADS)
def test_no_image_is_lost_with_the_head_of_a_partition(head, tmp_path):
    find, path = written("in-shop", tmp_path)
    before = find()
    change, remarks = HEADS[head]
    edited(path, change)
    found = find()
    assert found.records == before.records
    assert len([remark for remark in found.remarks if "no line with its number" in remark]) == remarks


@pytest.mark.parametrize("change", [lambda lines: [*lines[:2], *lines[4:]], lambda lines: ["9", *lines[1:]]])
def test_a_partition_that_counts_other_images_is_named_with_both_numbers(change, tmp_path):
    find, path = written("in-shop", tmp_path)
    edited(path, change)
    with pytest.raises(
        DataError, match=rf"{path} is not complete: .* counts (144|9) images, it lists 14[24]\."
    ):
        find()


@each_list
def test_blanks_around_lines_and_ends_of_other_systems_change_nothing(kind, tmp_path):
    find, path = written(kind, tmp_path)
    before = find()
    lines = path.read_text().splitlines()
    path.write_bytes("\ufeff".encode() + "".join(f"\t{line} \t\r\n\r\n" for line in lines).encode())
    assert find() == before
    path.write_bytes("\r".join(lines).encode())
    assert find() == before


@each_list
def test_an_image_that_is_listed_again_is_read_once_and_remarked(kind, tmp_path):
    find, path = written(kind, tmp_path)
    before = find()
    count = lambda lines: [str(int(lines[0]) + 1), *lines[1:]] if kind == "in-shop" else lines  # noqa: E731
    edited(path, lambda lines: [*count(lines), lines[-1]])
    found = find()
    assert (found.records, found.digest) == (before.records, before.digest)
    (remark,) = set(found.remarks) - set(before.remarks)
    assert "1 lines name an image again, which is read once: " in remark


@pytest.mark.parametrize("kind", ["msmt17", "in-shop", "fast-reid"])
def test_lists_that_contradict_each_other_are_refused(kind, tmp_path):
    find, path = written(kind, tmp_path)
    if kind == "in-shop":
        again = lambda lines: [str(int(lines[0]) + 1), *lines[1:], lines[-1].replace("gallery", "query")]  # noqa: E731
        edited(path, again)
    else:
        gallery = path.with_name(path.name.replace("query", "gallery"))
        edited(path, lambda lines: [*lines, gallery.read_text().splitlines()[0]])
    with pytest.raises(DataError, match="says two different things of "):
        find()


OUTSIDE = [
    "../outside/0021_c001_00000600_0.jpg",
    "a/../../outside/0021_c001_00000600_0.jpg",
    "{root}/outside/0021_c001_00000600_0.jpg",
    "..\\outside\\0021_c001_00000600_0.jpg",
    "C:/0021_c001_00000600_0.jpg",
    "\\\\server\\share\\0021_c001_00000600_0.jpg",
    "a\x00b.jpg",
    "a\x1b[31m.jpg",
]


@each_list
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_listed_name_leaves_the_folder(kind, name, tmp_path):
    find, path = written(kind, tmp_path)
    jpeg(tmp_path / "outside" / "0021_c001_00000600_0.jpg", next(shots()))
    ending = {"veri776": "", "msmt17": " 0", "in-shop": "  id_00000021  query", "fast-reid": ",0"}[kind]
    edited(path, lambda lines: [*lines, name.format(root=tmp_path) + ending])
    with pytest.raises(DataError, match=rf"{path} names .*, which is no path inside the data set's folder"):
        find()


@each_list
@pytest.mark.parametrize("content", ["é".encode("latin1"), "é".encode("utf-16"), b"\x80abc"])
def test_a_list_that_is_no_utf_8_is_named(kind, content, tmp_path):
    find, path = written(kind, tmp_path)
    path.write_bytes(path.read_bytes() + content)
    with pytest.raises(DataError, match=rf"{path} cannot be read as a list of images: "):
        find()


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Callable[[], ImageList], Path, bytes]]:
    found = {kind: written(kind, tmp_path_factory.mktemp(kind)) for kind in WRITERS}
    return {kind: (find, path, path.read_bytes()) for kind, (find, path) in found.items()}


@each_list
@given(changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 9), st.binary(max_size=6)), max_size=4))
@settings(max_examples=30)
def test_a_damaged_list_is_read_or_named(kind, trees, changes):
    find, path, content = trees[kind]
    for place, length, bytes_there in changes:
        content = content[:place] + bytes_there + content[place + length :]
    path.write_bytes(content)
    try:
        find()
    except DataError as error:
        assert str(path.parent) in str(error) or path.name in str(error)  # noqa: PT017


@pytest.mark.parametrize("number", ["²", "-1", "1.0", "1e3", "10000000000", "9" * 5000, "x", "٣"])
@pytest.mark.parametrize("kind", ["msmt17", "fast-reid"])
def test_identities_that_are_no_numbers_are_named(kind, number, tmp_path):
    find, path = written(kind, tmp_path)
    assert number_of(number) is None
    separator = {"msmt17": " ", "fast-reid": ","}[kind]
    edited(path, lambda lines: [*lines, lines[0].rpartition(separator)[0] + separator + number])
    with pytest.raises(DataError, match=rf"{path} is damaged: expected"):
        find()


@pytest.mark.parametrize("gone", ["name_train.txt", "name_test.txt"])
def test_lists_of_veri776_that_are_not_followed_are_remarked(gone, tmp_path):
    find, path = written("veri776", tmp_path)
    before = find()
    path.with_name(gone).unlink()
    found = find()
    assert found.records == before.records
    assert any("without the other lists, is not followed" in remark for remark in found.remarks)


def test_hand_worked_lines_and_paths(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeff a b \r\n\n\t\nc\u2028d\n".encode())
    assert lines_of(path) == ["a b", "c\u2028d"]
    assert path_in("./a//b c/é.jpg", path) == "a/b c/é.jpg"
    assert distinct([("a", 1), ("b", 1)], "list") == ([("a", 1), ("b", 1)], ())


@pytest.mark.parametrize(
    ("kind", "name"), [("veri776", "1" * 25 + "_c001_1_0.jpg"), ("msmt17", "0_0_" + "1" * 25)]
)
def test_names_with_numbers_that_no_array_holds_are_named(kind, name, tmp_path):
    find, path = written(kind, tmp_path)
    part = {"veri776": "image_query", "msmt17": "test"}[kind]
    file = f"{name.removesuffix('.jpg')}_.jpg"
    jpeg(path.parent / part / file, next(shots()))
    edited(path, lambda lines: [*lines, file + {"veri776": "", "msmt17": " 0"}[kind]])
    with pytest.raises(DataError, match="have a name without identity and camera: "):
        find()
