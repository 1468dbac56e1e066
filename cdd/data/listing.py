"""The images of a data set on disk, found and described; shared by the readers of the real data sets."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cdd.data.records import ImageRecord, RetrievalProtocol, Split
from cdd.errors import DataError, DataMissingError

SUFFIXES = (".jpg", ".jpeg", ".png")
NAMED = 3
"""Offending files that a message names."""
SHOWN = 8
"""Entries of a folder that a message shows."""
VALIDATION_SHARE = 5
"""One training identity in so many serves validation."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a reader found.

    Attributes:
        folder: what the records' paths are relative to.
        layout: name of the layout that was detected.
        sources: list files that were followed, relative to the folder.
        remarks: what a reader of results must know.
    """

    name: str
    folder: Path
    layout: str
    records: tuple[ImageRecord, ...]
    protocols: tuple[RetrievalProtocol, ...]
    sources: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the sorted list of images with identity, camera and split."""
        lines = sorted(f"{r.path}\t{r.identity}\t{r.camera}\t{r.split}\n" for r in self.records)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def candidates(root: Path, names: Iterable[str]) -> list[Path]:
    """The root itself and its folders of these names, letter case ignored; none if there is no root."""
    if not root.is_dir():
        return []
    wanted = {name.lower() for name in names}
    return [root, *sorted(path for path in root.iterdir() if path.name.lower() in wanted and path.is_dir())]


def images_below(folder: Path, part: str) -> list[str]:
    """Sorted paths of the image files below `folder/part`, relative to `folder`; other files are ignored."""
    found = []
    for where, _, names in os.walk(folder / part):
        relative = Path(where).relative_to(folder).as_posix()
        found += [f"{relative}/{name}" for name in names if name.lower().endswith(SUFFIXES)]
    return sorted(found)


def require_present(wanted: Sequence[str], folder: Path, parts: Iterable[str], source: str) -> None:
    """Makes sure that every file of a list is there, by listing folders instead of asking for each.

    Raises:
        DataError: naming the first that are missing.
    """
    there = {path for part in parts for path in images_below(folder, part)}
    missing = [path for path in wanted if path not in there]
    if missing:
        raise DataError(
            f"{source} names {len(wanted)} images, {len(missing)} of them are not in {folder}: "
            f"{_first(missing)}. Unpack the archive again, or restore the list."
        )


@dataclass(frozen=True)
class NamePattern:
    """What a file's name says, and a name of that form for messages."""

    expression: re.Pattern[str]
    example: str


def matched(paths: Sequence[str], pattern: NamePattern, folder: Path) -> list[re.Match[str]]:
    """The pattern's match in the NAME of every file; folders above it never take part.

    Raises:
        DataError: naming the first files whose name does not match.
    """
    found = [(path, pattern.expression.match(path.rpartition("/")[2])) for path in paths]
    wrong = [path for path, match in found if match is None]
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(paths)} images in {folder} have a name without identity and camera: "
            f"{_first(wrong)}. Expected names like {pattern.example}; move other images away."
        )
    return [match for _, match in found if match is not None]


def with_validation(records: Iterable[ImageRecord], name: str) -> tuple[ImageRecord, ...]:
    """The records with a fifth of the training identities set aside for validation.

    Which ones depends on the data set's name and the identity alone, not on order or layout.
    """
    return tuple(
        replace(record, split="validation")
        if record.split == "training" and _is_validation(name, record.identity)
        else record
        for record in records
    )


def _is_validation(name: str, identity: int) -> bool:
    digest = hashlib.sha256(f"{name}/{identity}".encode()).digest()
    return int.from_bytes(digest[:8]) % VALIDATION_SHARE == 0


def not_found(title: str, root: Path, layouts: str, address: str) -> DataMissingError:
    """The one message for a data set that is not where it was looked for, or not complete."""
    if not root.is_dir():
        found = "no such folder"
    else:
        inside = sorted(path.name for path in root.iterdir())
        more = ", ..." if len(inside) > SHOWN else ""
        found = f"it holds {', '.join(inside[:SHOWN])}{more}" if inside else "it is empty"
    return DataMissingError(
        f"{title} is not at {root}: {found}. Expected there, or in a folder of its name there, {layouts}. "
        f"The data set is given out by its authors: {address}"
    )


def split_of(folder: Path, parts: dict[str, Split]) -> dict[Split, list[str]] | None:
    """The images of each part; None where a part is missing."""
    if not all((folder / part).is_dir() for part in parts):
        return None
    return {split: images_below(folder, part) for part, split in parts.items()}


def _first(paths: Sequence[str]) -> str:
    return ", ".join(paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")
