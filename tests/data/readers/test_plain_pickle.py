"""Pickles of CIFAR's format: plain values come back, and nothing that one asks for is called."""

import contextlib
import functools
import operator
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cdd.data.readers.plain_pickle import plain
from cdd.data.registry import load
from cdd.errors import DataError
from cdd.recipe import Data
from cdd.torchvision_guard import install
from tests.data.cifar_trees import FILES, cifar

ROWS = np.arange(6, dtype=np.uint8).reshape(2, 3)
ARRAYS = {
    "bytes": ROWS,
    "columns": np.asfortranarray(ROWS),
    "big endian": ROWS.astype(">i4"),
    "truths": ROWS > 2,
    "fractions": ROWS / 7,
    "empty": ROWS[:0],
}
VALUES = {"numbers": [np.int64(3), 2, 1.5, True, None], "texts": (b"x\xff", b"", "é"), "nested": {1: {2: []}}}


class Calls:
    """Is pickled as a call."""

    def __init__(self, function, *given):
        self.call = (function, given)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back_from_every_protocol(protocol):
    found = plain(pickle.dumps({**ARRAYS, **VALUES}, protocol=protocol))
    assert {key: found.pop(key) for key in VALUES} == VALUES
    for key, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[key])


OTHERS = {
    "a call of the system": lambda mark: Calls(Path.touch, mark),
    "evaluated text": lambda mark: Calls(eval, f"open({str(mark)!r}, 'w')"),
    "an attribute": lambda mark: Calls(getattr, mark, "touch"),
    "a call kept for later": lambda mark: functools.partial(mark.touch),
    "an operator": lambda mark: operator.methodcaller("touch"),
    "numpy's own reader": lambda mark: Calls(np.load, str(mark), None, True),
    "an array of objects": lambda mark: np.array([Calls(Path.touch, mark)], dtype=object),
    "a type of records": lambda mark: np.zeros(3, dtype=[("a", "u1"), ("b", "O")]),
    "a type": lambda mark: np.float64,
    "a set": lambda mark: {1},
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("other", OTHERS)
def test_anything_else_is_refused_and_not_called(other, protocol, tmp_path):
    content = pickle.dumps({"data": OTHERS[other](tmp_path / "mark")}, protocol=protocol)
    if other == "a set" and protocol == 5:
        return  # A protocol that writes sets without a call.
    with pytest.raises(pickle.UnpicklingError, match=r"^it (calls|holds an array of)"):
        plain(content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("state", [{"__call__": 1}, (None, {"__defaults__": ("O8",), "dtype": 1})])
@pytest.mark.parametrize("name", ["numpy dtype", "numpy.core.multiarray _reconstruct", "numpy ndarray"])
def test_a_pickle_changes_nothing_for_the_next_one(name, state):
    forged = b"c" + name.replace(" ", "\n").encode() + b"\n" + pickle.dumps(state, protocol=2)[2:-1] + b"b."
    with contextlib.suppress(AttributeError, TypeError, pickle.UnpicklingError):
        plain(forged)
    test_plain_values_come_back_from_every_protocol(2)


def test_numbers_that_announce_more_than_there_is_take_no_memory():
    tracemalloc.start()
    assert plain(b"\x80\x02Nr\xff\xff\xff\x7f.") is None  # The place of a value that is kept for later.
    for kind in (b"\x96", b"\x8e", b"\x8d", b"\x95"):
        with pytest.raises((EOFError, KeyError, ValueError, pickle.UnpicklingError)):
            plain(b"\x80\x05" + kind + (2**40).to_bytes(8, "little") + b"x.")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(("name", "file"), [(name, file) for name in FILES for file in FILES[name]])
def test_a_forged_file_of_cifar_runs_nothing_and_is_named(name, file, tmp_path):
    tree, mark = cifar(name, tmp_path, training_each=1, test_each=1), tmp_path / "mark"
    (tree.folder / file).write_bytes(pickle.dumps({"data": Calls(Path.touch, mark)}))
    with pytest.raises(DataError, match=rf"{tree.folder} cannot be read: {file}: .*unpack cifar"):
        load(Data(name=name, height=32, width=32, use="classification"), tmp_path)
    assert not mark.exists()


def test_sums_are_compared_before_anything_is_read(tmp_path, monkeypatch):
    install()
    cifar("cifar10", tmp_path, training_each=1, test_each=1)
    order = []
    monkeypatch.setattr(
        "torchvision.datasets.utils.check_integrity", lambda path, md5: order.append(path.name) or True
    )
    monkeypatch.setattr(
        "cdd.data.readers.cifar.plain", lambda content: order.append("read") or plain(content)
    )
    load(Data(name="cifar10", height=32, width=32, use="classification"), tmp_path)
    assert sorted(order[: len(FILES["cifar10"])]) == sorted(FILES["cifar10"])


@pytest.mark.parametrize("labels", [["1"] * 20, [True] * 20, [10] * 20, [-1] * 20, [1.0] * 20, "1" * 20])
def test_labels_that_are_no_classes_are_named(labels, tmp_path):
    tree = cifar("cifar10", tmp_path, training_each=1, test_each=2)
    content = {"data": np.zeros((20, 3072), np.uint8), "labels": labels}
    (tree.folder / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="test_batch: .*expected labels from 0 to 9, got"):
        load(Data(name="cifar10", height=32, width=32, use="classification"), tmp_path)
