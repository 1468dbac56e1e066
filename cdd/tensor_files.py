"""Files of tensors with a digest of their content, read without running code."""

import io
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cdd.errors import DataError
from cdd.files import atomic_write
from cdd.seals import sealed, unsealed

_ZIP, _PICKLE = b"PK", b"\x80"
_BAD_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error)
_KINDS = {
    "a web page (HTML), which a download that failed leaves": rb"\s*<",
    "a pointer of Git LFS, not the file itself": rb"version https://git-lfs",
    "an array of NumPy": rb"\x93NUMPY",
    "a JSON file": rb"\s*[\[{]\s*[\"\[{\]}0-9]",
    "a tar archive of something else": rb".{257}ustar",
    "compressed (gzip)": rb"\x1f\x8b",
}
"""First bytes of other kinds of files that are often mistaken for files of tensors."""


def write_tensors(path: Path, values: Any) -> None:
    """Writes values that torch can save atomically, with their digest in the file.

    Raises:
        WriteError: naming the file.
    """
    atomic_write(path, sealed(saved(values)))


def saved(values: Any) -> bytes:
    """The bytes that torch writes for the values, with their digest."""
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()


def read_tensors(path: Path, what: str, remedy: str) -> Any:
    """The values that `torch.save` wrote: tensors and plain values, nothing that could run code.

    A file without a digest, as torch alone and older versions write it, is read as well.

    Args:
        what: the file should hold, for people.
        remedy: what to do, as a sentence, where it is not.

    Raises:
        DataError: naming the file, and what is wrong with it.
    """
    try:
        content = path.read_bytes()
        return loaded(content)
    except OSError as error:
        problem = error.strerror or str(error)
    except ValueError as error:
        problem = f"it {error}"
    raise DataError(f"{what} in {path} cannot be read: {problem}. {remedy}")


def read_state(path: Path, what: str, remedy: str, *, finite: bool = True) -> dict[str, Tensor]:
    """The tensors of a state dict, by name; with `finite`, without NaN or infinite values.

    Raises:
        DataError: naming the file, and what is wrong with it.
    """
    stored = read_tensors(path, what, remedy)
    check_state(stored, path, what, remedy, finite=finite)
    state: dict[str, Tensor] = stored
    return state


def check_state(stored: Any, path: Path, what: str, remedy: str, *, finite: bool = True) -> None:
    """Checks that a value read from a file is a state dict, as `read_state` returns one.

    Raises:
        DataError: naming the file, and what is wrong with it.
    """
    if not isinstance(stored, dict) or not all(_is_plain(*item) for item in stored.items()):
        raise DataError(
            f"{what} in {path} cannot be read: it holds no state dict: expected names and tensors, found "
            f"{_described(stored)}. {remedy}"
        )
    names = not_finite(stored) if finite else []
    if names:
        raise DataError(
            f"{what} in {path} cannot be used: values in {some(names)} are no numbers (NaN or infinite), "
            f"which no learning rate or precision repairs. {remedy}"
        )


def not_finite(state: dict[str, Tensor]) -> list[str]:
    """Names of tensors with values that are NaN or infinite."""
    numbers = {name: value for name, value in state.items() if value.is_floating_point()}
    return [name for name, value in numbers.items() if not bool(value.isfinite().all())]


def loaded(content: bytes) -> Any:
    """The values in the bytes of such a file.

    Raises:
        ValueError: saying what is wrong with them.
    """
    archive = unsealed(content)
    problem = _problem(archive)
    if problem:
        raise ValueError(problem)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About old formats, which a reader cannot change.
            return torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except Exception as error:  # Damaged pickles raise whatever their bytes happen to mean.
        cut = "" if archive.startswith(_ZIP) else "is damaged or cut off, or "
        raise ValueError(
            f"{cut}holds something other than tensors and plain values, which is not loaded, for it could "
            "run code"
        ) from error


def _problem(content: bytes) -> str:
    """Error text for a file that torch cannot read, without reading it by torch; empty if none is found."""
    if not content:
        return "is empty"
    for kind, beginning in _KINDS.items():
        if re.match(beginning, content[:512], re.DOTALL):
            return f"is {kind}"
    if content.startswith(_ZIP):
        return _zip_problem(content)
    return "" if content.startswith(_PICKLE) else "is no file that torch.save writes"


def _zip_problem(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                return f"is no file that torch.save writes: it is compressed, and holds {some(names)}"
            # Torch does not compare the checksums that it writes.
            damaged = archive.testzip()
    except (*_BAD_ZIP, OSError, ValueError):
        return "is damaged or cut off"
    if damaged:
        return f"is damaged: {damaged[:80]} in it is not what its checksum says"
    if not any(name.endswith("data.pkl") for name in names):
        return f"is a zip archive of something else (it holds {some(names) or 'nothing'})"
    if any(name.endswith("constants.pkl") for name in names):
        return "is a TorchScript program, not a file of weights"
    return ""


def _is_plain(name: object, value: object) -> bool:
    """Whether this is a named tensor whose storage holds all of its values."""
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _described(value: object) -> str:
    if isinstance(value, dict):
        return f"a dict of {some([str(key) for key in value]) or 'nothing'}"
    return f"a {type(value).__name__}"


def some(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name[:80] for name in names[:3]) + more
