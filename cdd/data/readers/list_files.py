"""Files that list the images of a data set: their lines, and the paths and identities that they name."""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from cdd.data.image_list import UNPRINTABLE, first_of
from cdd.errors import DataError

NUMBER = re.compile(r"[0-9]{1,9}")
"""An identity or a count; nothing that does not fit into an array of integers."""
Row = TypeVar("Row", bound=tuple[object, ...])


def lines_of(path: Path) -> list[str]:
    """The lines of a list file that are not blank, without the spaces around them.

    Raises:
        DataError: if it is no text.
    """
    try:
        # Some editors leave a byte order mark at the beginning.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a list of images: {error}. Copy it again.") from error
    return [line.strip() for line in lines if line.strip()]


def path_in(text: str, source: Path) -> str:
    """A path that a list names, proved to stay inside the folder that it is relative to.

    Raises:
        DataError: for an absolute path, one that leads upwards, or a name that no text shows.
    """
    # Separators and drives of every system, without pathlib: there are 100,000 of them.
    parts = text.replace("\\", "/").split("/")
    if not parts[0] or text[1:2] == ":" or ".." in parts or UNPRINTABLE.search(text):
        raise DataError(
            f"{source} names {text!a}, which is no path inside the data set's folder: "
            "restore the list as its authors give it out"
        )
    return posixpath.normpath(text)


def number_of(text: str) -> int | None:
    """The number that a list writes; None for anything else."""
    return int(text) if NUMBER.fullmatch(text) else None


def distinct(rows: Iterable[Row], source: str) -> tuple[list[Row], tuple[str, ...]]:
    """Every image once, and a remark where some are listed more often.

    Args:
        rows: path of each image and what is said of it.
        source: the list or lists, for messages.

    Raises:
        DataError: for an image of which two different things are said.
    """
    found: dict[object, Row] = {}
    repeated = []
    for row in rows:
        known = found.setdefault(row[0], row)
        if known != row:
            raise DataError(
                f"{source} says two different things of {row[0]}: {known[1:]} and {row[1:]}. "
                "Restore it as its authors give it out."
            )
        if known is not row:
            repeated.append(str(row[0]))
    remark = f"{source}: {len(repeated)} lines name an image again, which is read once: {first_of(repeated)}"
    return list(found.values()), (remark,) if repeated else ()
