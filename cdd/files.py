"""Atomic writing of files, and strict reading of JSON."""

import os
import shutil
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from cdd.errors import DataError, WriteError

Kind = TypeVar("Kind")


def _as_given(value: float, handler: ValidatorFunctionWrapHandler) -> float:
    handler(value)
    return value


Finite = Annotated[float, WrapValidator(_as_given), Field(allow_inf_nan=False)]
"""A number; a whole one stays an integer."""
PARTIAL = ".partial"
"""Ends the name of a file that is being written."""
SECONDS_UNTIL_ABANDONED = 3600.0


def atomic_write(path: Path, content: bytes | str) -> None:
    """Replaces the file's content atomically, once it is on the disk; text as UTF-8.

    Raises:
        WriteError: naming the file, which is then what it was before.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path whose file replaces `path` atomically when the block ends without an error.

    A device or a pipe is written as it is.

    Raises:
        WriteError: naming the file, which is then what it was before.
    """
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _beside(target)
        try:
            yield partial
            if target.exists():
                shutil.copymode(target, partial)
            _reach_disk(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is whole. Make room "
            f"for it in {path.parent}, or make that writable, and give the same command again.",
            error.strerror or str(error),
        ) from error


def sweep(folder: Path) -> None:
    """Deletes partial files of interrupted writes in a folder without other writers."""
    for path in folder.glob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)


def read_json(path: Path, kind: type[Kind], remedy: str) -> Kind:
    """The content of a JSON file as this type; nothing is converted.

    Args:
        kind: a type that pydantic knows.
        remedy: what to do about a damaged file.

    Raises:
        DataError: naming the file and the first place that is not of this type.
    """
    try:
        return parse_json(path.read_bytes(), kind)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. {remedy}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. {remedy}") from error


def parse_json(content: bytes | str, kind: type[Kind]) -> Kind:
    """The content as this type; nothing is converted.

    Raises:
        ValueError: saying in one line what is wrong, and where.
    """
    try:
        value: Kind = _adapter(cast("Hashable", kind)).validate_json(content, strict=True)
        return value
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def first_problem(error: ValidationError) -> str:
    """Place and text of the first validation error, in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}"[:300] if place else first["msg"][:300]


def inside(folder: Path, name: str) -> Path:
    """The path of this name directly in the folder.

    Raises:
        ValueError: for a name that would lead anywhere else.
    """
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
        raise ValueError(f"{name!r} is no name of a file in {folder}")
    return folder / name


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _beside(target: Path) -> Path:
    """A path that no other writer uses; abandoned files under such names are deleted."""
    now = time.time()
    for old in target.parent.glob(f"*{PARTIAL}"):
        with suppress(FileNotFoundError):  # Another writer has just put it in place.
            if old.name.startswith(f"{target.name}.") and now - old.stat().st_mtime > SECONDS_UNTIL_ABANDONED:
                old.unlink()
    return target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}{PARTIAL}")


def _reach_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
