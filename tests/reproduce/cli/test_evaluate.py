"""`evaluate`: files that are refused before anything is allocated, junk, and one set against itself."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdd.evaluation import evaluate_retrieval
from reproduce.cli.embeddings import read_embeddings
from reproduce.errors import UsageError
from tests.reproduce.said import Said

EMBEDDINGS = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [0.7, 0.7]])
IDENTITIES = np.array([3, 3, 5, 5, -1])


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def announcing(shape: str, data: bytes = b"") -> bytes:
    """An array whose header says this shape, whatever follows."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {"identities": npy(IDENTITIES), **members}.items():
            file.writestr(f"{name}.npy", content)
    return path


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (announcing("(10000000000000, 512)"), "announces"),
        (announcing("(5, 2)", bytes(79)), "announces .1 bytes more than it holds"),
        (announcing("(5, 2)", bytes(81)), "announces"),
        (announcing("(-5, -2)", bytes(80)), "announces"),
        (announcing("(5, 2"), "cannot be read"),
        (b"\x93NUMPY\x09\x00" + bytes(90), "cannot be read"),
        (b"", "cannot be read"),
        (npy(EMBEDDINGS.astype(complex)), "type complex128, expected numbers"),
        (npy(EMBEDDINGS.astype("datetime64[s]")), "type datetime64.*, expected numbers"),
        (npy(EMBEDDINGS.astype([("a", float)])), "expected numbers"),
        (npy(np.zeros((0, 2))), r"identities have shape \(5,\) for 0 embeddings"),
        (npy(np.zeros((5, 0))), "give at least one of size 1"),
        (npy(np.full((5, 2), np.nan)), "5 of 5 embeddings hold NaN"),
    ],
)
def test_arrays_that_are_none_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        read_embeddings(archive(tmp_path / "a.npz", embeddings=content))


@pytest.mark.parametrize("name", ["identities", "cameras"])
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (IDENTITIES.astype(float), "give integers"),
        (IDENTITIES > 0, "give integers"),
        (IDENTITIES.astype(np.uint64), "give smaller ones"),
        (IDENTITIES[:4], r"shape \(4,\) for 5 embeddings"),
        (IDENTITIES[:, None], r"shape \(5, 1\)"),
        (np.array(3), r"shape \(\)"),
        (IDENTITIES.astype(str), "give integers"),
    ],
)
def test_labels_are_integers_one_per_image(name: str, array: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        read_embeddings(archive(tmp_path / "a.npz", embeddings=npy(EMBEDDINGS), **{name: npy(array)}))


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    trap = np.array([[Trap(tmp_path / "caught")]], dtype=object)
    np.savez(tmp_path / "a.npz", embeddings=trap, identities=[1])
    (tmp_path / "b.npz").write_bytes(pickle.dumps(trap))
    np.savez(tmp_path / "c.npz", embeddings=EMBEDDINGS, identities=IDENTITIES, extra=trap)
    for name in ("a", "b"):
        with pytest.raises(UsageError, match="cannot be read as an npz file of plain arrays"):
            read_embeddings(tmp_path / f"{name}.npz")
    assert len(read_embeddings(tmp_path / "c.npz").embeddings) == 5  # What is not asked for stays closed.
    assert not (tmp_path / "caught").exists()


def test_a_member_that_announces_terabytes_allocates_nothing(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", embeddings=announcing("(1099511627776, 2)"))
    content = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        size = file.getinfo("embeddings.npy").file_size
    # The size in the directory of the archive is forged as well.
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (2**32 - 2).to_bytes(4, "little")))
    with pytest.raises(UsageError, match="cannot be read as an npz file"):
        read_embeddings(path)


def test_two_arrays_of_one_name_and_other_compressions_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", embeddings=npy(EMBEDDINGS))
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("identities.npy", npy(IDENTITIES))
    with pytest.raises(UsageError, match="two arrays of one name"):
        read_embeddings(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("embeddings.npy", npy(EMBEDDINGS))
    with pytest.raises(UsageError, match="numpy never uses"):
        read_embeddings(path)


@given(data=st.data())
def test_a_flipped_bit_is_found_or_changes_nothing(data: st.DataObject, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("flipped") / "a.npz"
    save = np.savez_compressed if data.draw(st.booleans()) else np.savez
    save(path, embeddings=EMBEDDINGS, identities=IDENTITIES)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        found = read_embeddings(path)
    except UsageError as error:
        assert str(path) in str(error)
        return
    np.testing.assert_array_equal(found.embeddings, EMBEDDINGS)
    np.testing.assert_array_equal(found.identities, IDENTITIES)
    assert found.cameras is None


@given(st.binary(max_size=300))
def test_bytes_that_are_no_archive_are_one_message(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read as an npz file"):
        read_embeddings(path)


@pytest.mark.parametrize("option", ["--query", "--gallery"])
def test_a_folder_or_nothing_at_all_is_no_file(option: str, tmp_path: Path) -> None:
    good = archive(tmp_path / "a.npz", embeddings=npy(EMBEDDINGS))
    for path, message in ((tmp_path, "is no file"), (tmp_path / "gone.npz", "does not exist")):
        given = {"--query": good, "--gallery": good, option: path}
        said = Said("evaluate", *(word for pair in given.items() for word in pair))
        assert said.code == 2
        assert message in said.err


def brute(junk: tuple[int, ...]) -> tuple[float, int]:
    """mAP of one set against itself, ranking by ranking."""
    unit = EMBEDDINGS / np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
    precisions = []
    for number, identity in enumerate(IDENTITIES):
        others = [row for row in range(5) if row != number and IDENTITIES[row] not in junk]
        ranked = sorted(others, key=lambda row: -float(unit[row] @ unit[number]))
        hits = [rank for rank, row in enumerate(ranked, 1) if IDENTITIES[row] == identity]
        if hits:
            precisions.append(np.mean([(found + 1) / rank for found, rank in enumerate(hits)]))
    return float(np.mean(precisions)), len(precisions)


@pytest.mark.parametrize("junk", [(), (-1,), (-1, 7)])
def test_one_set_against_itself_never_finds_the_query_itself(junk: tuple[int, ...]) -> None:
    sides = (EMBEDDINGS, EMBEDDINGS, IDENTITIES, IDENTITIES)
    found = evaluate_retrieval(*sides, junk=junk, leave_one_out=True)
    mean, valid = brute(junk)
    assert found.mean_average_precision == pytest.approx(mean)
    assert (found.valid_queries, found.queries) == (valid, 5)
    assert valid == 4


def test_without_its_own_row_a_query_needs_another_match() -> None:
    with pytest.raises(ValueError, match="None of 5 queries"):
        evaluate_retrieval(EMBEDDINGS, EMBEDDINGS, range(5), range(5), leave_one_out=True)
    with pytest.raises(ValueError, match="there are 5 queries and 4 gallery rows"):
        evaluate_retrieval(EMBEDDINGS, EMBEDDINGS[:4], range(5), range(4), leave_one_out=True)


def test_junk_is_as_if_it_were_not_there() -> None:
    query, wanted = EMBEDDINGS[[0, 2]], [3, 5]
    junk = evaluate_retrieval(query, EMBEDDINGS, wanted, IDENTITIES, junk=(-1, 5))
    kept = IDENTITIES == 3
    without = evaluate_retrieval(query, EMBEDDINGS[kept], wanted, IDENTITIES[kept])
    assert junk.average_precision.tolist() == without.average_precision.tolist()
    assert junk.cmc == without.cmc
    assert junk.valid_queries == without.valid_queries == 1


def test_the_command_leaves_one_out_and_junk_by_name(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.npz", tmp_path / "b.npz"
    for each in (path, copy):
        np.savez(each, embeddings=EMBEDDINGS, identities=IDENTITIES)
    command = ("evaluate", "--query", path, "--format", "json")
    alone = Said(*command)
    assert (alone.json["leave_one_out"], alone.json["junk"]) == (True, 0)
    assert alone.json["mean_average_precision"] == pytest.approx(brute(())[0])
    assert "1 gallery images of identity -1 count as wrong: --junk -1" in alone.err
    same = Said(*command, "--gallery", path)
    assert same.json == alone.json
    assert "are one file: each query is left out of its own ranking" in same.err
    apart = Said(*command, "--gallery", copy, "--junk", "-1")
    assert (apart.json["leave_one_out"], apart.json["junk"]) == (False, 1)
    assert apart.json["cmc"]["1"] == 1.0
    assert apart.err == ""
    assert Said(*command, "--junk", str(2**64)).code == 2
