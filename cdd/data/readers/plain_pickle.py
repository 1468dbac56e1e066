"""Reads pickles of numbers, texts, bytes, lists, dicts and arrays of numbers, and runs nothing of them."""

import io
import pickle
import re
import struct
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

NUMBERS = re.compile(r"[uif][1248]|b1")
"""Types that an array may have, as NumPy's pickles write them; their byte order is written apart."""
ORDERS = ("<", ">", "=", "|")


def plain(content: bytes) -> Any:
    """What was pickled; texts of Python 2 are read as Latin-1, as NumPy's arrays need it.

    Raises:
        UnpicklingError: for anything but plain values, before any of it is called.
        Exception: whatever unpickling a damaged file raises.
    """
    return _PlainUnpickler(io.BytesIO(content), encoding="latin1").load()


class _PlainUnpickler(pickle._Unpickler):
    """Knows what NumPy's pickles call, by names of its own, and nothing else.

    The one in C takes memory for as many values as a damaged number says, before it reads any.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    read: Callable[[int], bytes]
    append: Callable[[object], None]

    def find_class(self, module: str, name: str) -> Any:
        known = _calls()
        # NumPy 2 has its functions at another place than NumPy 1, with which the archives were made.
        asked = f"{module.replace('numpy._core', 'numpy.core')}.{name}"
        if asked not in known:
            raise pickle.UnpicklingError(
                f"it calls {module}.{name}, where only numbers, texts, lists, dicts and arrays are allowed"
            )
        return known[asked]

    def load_bytearray8(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


class _Type:
    """A type of numbers, on its own without byte order."""

    def __init__(self, name: object) -> None:
        if not isinstance(name, str) or not NUMBERS.fullmatch(name):
            raise pickle.UnpicklingError(f"it holds an array of {name}, not of numbers")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] not in ORDERS:
            raise pickle.UnpicklingError(f"it holds an array of byte order {state[1]}")
        self.dtype = self.dtype.newbyteorder(str(state[1]))  # type: ignore[arg-type]


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array whose content follows."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, content = state
        if not isinstance(content, str | bytes):
            raise pickle.UnpicklingError("it holds an array of objects")
        raw = content.encode("latin1") if isinstance(content, str) else content
        super().__setstate__((1, shape, kind.dtype, by_columns, raw))


def _calls() -> dict[str, Any]:
    """What stands in for each function that a pickled array names; made anew, for a pickle can change it."""

    def array(*_: object) -> _Array:
        return np.empty(0, np.uint8).view(_Array)

    def from_buffer(content: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> NDArray[Any]:
        return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if order == "F" else "C")

    def number(kind: _Type, content: bytes) -> object:
        (found,) = np.frombuffer(content, kind.dtype)
        return found

    def encoded(text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"it holds bytes in the encoding {encoding}")
        return text.encode("latin1")

    return {
        "numpy.ndarray": "array",
        "numpy.dtype": lambda name, *_: _Type(name),
        "numpy.core.multiarray._reconstruct": array,
        "numpy.core.multiarray.scalar": number,
        "numpy.core.numeric._frombuffer": from_buffer,
        "_codecs.encode": encoded,
        "__builtin__.bytes": lambda: b"",
    }
