"""Image files of a data set on disk; shared by the readers of the real data sets."""

import hashlib
import os
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cdd.errors import DataError, DataMissingError

if TYPE_CHECKING:
    from cdd.data.records import ImageRecord, Split


SUFFIXES = (".jpg", ".jpeg", ".png")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and the escapes of bytes that are not UTF-8."""
NAMED = 3
"""Offending files that a message names."""
SHOWN = 8
"""Entries of a folder that a message shows."""
VALIDATION_SHARE = 5
"""One training identity in this number of identities is set aside for validation."""


@dataclass(frozen=True, kw_only=True)
class ImageList:
    """Image records of a data set on disk, with layout and remarks.

    Attributes:
        folder: base folder of the records' relative paths.
        layout: name of the layout that was detected.
        sources: list files that were read, relative to the folder.
        remarks: peculiarities of this copy, shown with results.
    """

    name: str
    folder: Path
    layout: str
    records: "tuple[ImageRecord, ...]"
    sources: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the sorted list of images with identity, camera and split."""
        lines = sorted(f"{r.path}\t{r.identity}\t{r.camera}\t{r.split}\n" for r in self.records)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def candidates(root: Path, names: Iterable[str]) -> list[Path]:
    """The root itself and its folders of these names, letter case ignored."""
    if not root.is_dir():
        return [root]
    lower_names = {name.lower() for name in names}
    folders = sorted(root / entry.name for entry in _entries(root) if entry.name.lower() in lower_names)
    return [root, *(path for path in folders if path.is_dir())]


def images_below(folder: Path, part: str) -> list[str]:
    """Sorted paths of the image files below `folder/part`, relative to `folder`; links are followed.

    Other files are ignored, and hidden ones: some systems keep a `._name.jpg` beside every `name.jpg`.

    Raises:
        DataError: for a folder that cannot be listed, or a name that no text shows.
    """
    paths: list[str] = []
    pending = [part] if (folder / part).is_dir() else []
    while pending:
        relative = pending.pop()
        for entry in _entries(folder / relative):
            path = posixpath.join(relative, entry.name)
            if _is_folder(entry):
                pending.append(path)
            elif entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith("."):
                paths.append(path)
    unprintable = [ascii(path) for path in paths if UNPRINTABLE.search(path)]
    if unprintable:
        raise DataError(
            f"{len(unprintable)} images in {folder} have a name that is no UTF-8 or has control characters: "
            f"{first_of(unprintable)}. Rename them, or unpack the archive again."
        )
    return sorted(paths)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be listed: {error.strerror}") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder, or a link to one; a link to one of its own parents would never end."""
    try:
        if not entry.is_dir() or not entry.is_symlink():
            return entry.is_dir()
        target = entry.stat()
        return not any(
            os.path.samestat(target, above.stat()) for above in Path(entry.path).absolute().parents
        )
    except OSError as error:
        raise DataError(f"the link {entry.path} cannot be followed: {error.strerror}") from error


def require_present(wanted: Sequence[str], folder: Path, parts: Iterable[str], source: str) -> None:
    """Checks that every listed file exists, by listing folders instead of looking up each file.

    Raises:
        DataError: naming the first that are missing.
    """
    present = {path for part in parts for path in images_below(folder, part)}
    missing = [path for path in wanted if path not in present]
    if missing:
        broken = [
            parent for parent in (folder / missing[0]).parents if parent.is_symlink() and not parent.exists()
        ]
        raise DataError(
            f"{source} names {len(wanted)} images, {len(missing)} of them are not in {folder}: "
            f"{first_of(missing)}. "
            + (
                f"{broken[0]} is a link to {os.readlink(broken[0])}, which is not there: restore it."
                if broken
                else "Unpack the archive again, or restore the list."
            )
        )


@dataclass(frozen=True)
class NamePattern:
    """Pattern of a file name, and an example for messages."""

    expression: re.Pattern[str]
    example: str


def matched(paths: Sequence[str], pattern: NamePattern, folder: Path) -> list[re.Match[str]]:
    """The pattern's match in the name of every file; parent folders are ignored.

    Raises:
        DataError: naming the first files whose name does not match.
    """
    matches = [(path, pattern.expression.match(path.rpartition("/")[2])) for path in paths]
    mismatches = [path for path, match in matches if match is None]
    if mismatches:
        raise DataError(
            f"{len(mismatches)} of {len(paths)} images in {folder} have a name without identity and camera: "
            f"{first_of(mismatches)}. Expected names like {pattern.example}; move other images away."
        )
    return [match for _, match in matches if match is not None]


def with_validation(records: "Iterable[ImageRecord]", name: str) -> "tuple[ImageRecord, ...]":
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


def not_found(
    title: str, folders: Sequence[Path], layouts: Mapping[str, Iterable[str]], address: str
) -> DataError:
    """The error for a data set that is missing or incomplete.

    Args:
        folders: the folders that were searched, the data root first.
        layouts: required entries of each layout, relative to its folder.
    """
    parts = {layout: tuple(needed) for layout, needed in layouts.items()}
    expected = "; or ".join(", ".join(needed) for needed in parts.values())
    source = f"The data set is given out by its authors: {address}"
    incomplete = [
        (present, folder, layout)
        for folder in folders
        for layout, needed in parts.items()
        # One entry of a common name, such as `train`, is no sign of this data set in the data root itself.
        if len(present := _present(folder, needed)) > (folder == folders[0])
    ]
    if incomplete:
        present, folder, layout = max(incomplete, key=lambda candidate: len(candidate[0]))
        missing = [part for part in parts[layout] if part not in present]
        return DataError(
            f"{title} in {folder} is not complete: for the layout {layout} it has {', '.join(present)} but "
            f"not {', '.join(missing)}. Expected {expected}. {source}"
        )
    folder = folders[min(1, len(folders) - 1)]
    return DataMissingError(
        f"{title} is not at {folder}: {_content(folder)}. Expected there, or in a folder of its name there, "
        f"{expected}. {source}"
    )


def _present(folder: Path, parts: Iterable[str]) -> list[str]:
    return [part for part in parts if (folder / part).exists()]


def _content(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    names = sorted(readable(entry.name) for entry in _entries(folder))
    more = ", ..." if len(names) > SHOWN else ""
    return f"it holds {', '.join(names[:SHOWN])}{more}" if names else "it is empty"


def readable(text: str) -> str:
    """The text with unprintable characters escaped."""
    return UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def split_of(folder: Path, parts: "dict[str, Split]") -> "dict[Split, list[str]] | None":
    """The images of each part; None where a part is missing."""
    if not all((folder / part).is_dir() for part in parts):
        return None
    return {split: images_below(folder, part) for part, split in parts.items()}


def first_of(paths: Sequence[str]) -> str:
    """The first paths, for a message."""
    return ", ".join(paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")
