"""One file that carries a finished run: a zip of known members behind a manifest with their digests.

The same run gives the same bytes. A file from elsewhere is not trusted: no member is written before its name
is known, and none is kept whose length or digest is not the manifest's.
"""

import hashlib
import json
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cdd.errors import RunError, WriteError
from cdd.files import inside, parse_json, replacing
from cdd.models.deployed import AGAIN, load_deployed_network
from cdd.recipe import Recipe
from cdd.result import DEPLOYED, DISTILLER, RESULT, WEIGHTS
from cdd.seals import check_file, seal_file
from cdd.tensor_files import read_state
from experiments.schema.scale import SCALES
from reproduce.errors import UsageError
from reproduce.storage.run_record import SOURCE
from reproduce.tracking.snapshot import TRACKING, Line

FORMAT: Literal[1] = 1
MANIFEST, RECIPE = "manifest.json", "recipe.json"
NETWORKS = (WEIGHTS, DEPLOYED, DISTILLER)
NEEDED = (RECIPE, RESULT, SOURCE)
MEMBERS = (*NEEDED, TRACKING, *NETWORKS)
LARGEST_MANIFEST, LARGEST_TEXT, LARGEST_NETWORK = 100_000, 1 << 28, 1 << 33  # bytes
LARGEST_RATIO = 100
"""Times that a member may unfold: networks hardly do, texts less than this."""
PLACE = rf"({'|'.join(SCALES)})(/overridden/[0-9a-f]+|/studies/[a-z0-9][a-z0-9-]*)?|"
"""Where a record may go, below the results; empty for a run that no command of the suite made."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold: the hour of packing is no part of a run."""
CHUNK = 1 << 20
NO_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, RuntimeError, OSError, KeyError, ValueError, OverflowError, MemoryError),
)
"""What a zip raises that is cut off, damaged or made by hand."""


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Facts):
    """Length and digest of one file."""

    bytes: int = Field(ge=0, le=LARGEST_NETWORK)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Origin(_Facts):
    """Where a run was exported: the results folder, by a name that hides it, and the run in its store."""

    workplace: Line
    mlflow_id: Line | None


class Manifest(_Facts):
    """What an archive says of itself.

    Attributes:
        label: the run's name for people.
        published: folder of its record below the results.
    """

    format: Literal[1] = FORMAT
    run_id: str = Field(pattern=r"^[0-9a-f]{12}$")
    label: Line
    published: str = Field(pattern=f"^({PLACE})$")
    origin: Origin
    members: dict[Annotated[str, Field(max_length=100)], Member] = {}

    @property
    def has_networks(self) -> bool:
        """Whether weights come with the numbers."""
        return WEIGHTS in self.members


def pack(manifest: Manifest, folder: Path, path: Path) -> Manifest:
    """Writes the members that lie in the folder, complete or not at all; returns the manifest as written."""
    files = [folder / name for name in MEMBERS if (folder / name).exists()]
    full = manifest.model_copy(update={"members": {file.name: _member(file) for file in files}})
    with replacing(path) as partial:
        with zipfile.ZipFile(partial, "w") as archive:
            archive.writestr(_entry(MANIFEST), json.dumps(full.model_dump(), indent=2))
            for file in files:
                with file.open("rb") as source, archive.open(_entry(file.name), "w", force_zip64=True) as out:
                    shutil.copyfileobj(source, out, CHUNK)
        seal_file(partial)
    return full


def unpack(path: Path, folder: Path) -> Manifest:
    """Writes the members into the folder, each checked; returns the manifest.

    Raises:
        UsageError: if there is no such file, or it is of a version that this one does not read.
        RunError: if the file is cut off, damaged, or holds what no run has.
    """
    if not path.is_file():
        raise UsageError(f"{path} is no file: name one that `python -m reproduce export-run` wrote")
    try:
        check_file(path)
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive, path)
            for name, member in manifest.members.items():
                with archive.open(name) as source:
                    _extract(source, inside(folder, name), member)
    except (WriteError, UsageError):
        raise
    except NO_ARCHIVE as error:
        raise refusal(path, str(error) or type(error).__name__) from error
    return manifest


def refusal(path: Path, problem: str) -> RunError:
    """The error that a file is no run that can be taken in."""
    return RunError(
        f"{path} is no whole run: {problem.splitlines()[0].rstrip('.')}. Nothing was imported. Copy the file "
        "again, or export the run anew"
    )


def check_network(path: Path, recipe: Recipe) -> None:
    """Makes sure that a network's file is whole, and one of such a run; other files pass.

    Raises:
        DataError: naming it if it is not.
    """
    if path.name == DEPLOYED:
        load_deployed_network(path, recipe.student)
    elif path.name in NETWORKS:
        what = f"the {path.name} of run {recipe.run_id}"
        read_state(path, what, AGAIN, finite=path.name == WEIGHTS)


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    names = archive.namelist()
    if MANIFEST not in names or archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
        raise RunError("it has no manifest")
    content = archive.read(MANIFEST)
    try:
        _check_version(parse_json(content, dict[str, Any]), path)
        manifest = parse_json(content, Manifest)
    except UsageError:
        raise
    except ValueError as error:
        raise RunError(f"its manifest cannot be read ({error})") from error
    strange = sorted({*names, *manifest.members} - {MANIFEST, *MEMBERS})
    if strange:
        raise RunError(f"it holds {strange[0]!r}, which no run has")
    if sorted(names) != sorted([MANIFEST, *manifest.members]):
        raise RunError("its members are not those of its manifest")
    lacking = [name for name in NEEDED if name not in manifest.members]
    if lacking:
        raise RunError(f"it lacks {', '.join(lacking)}")
    for name, member in manifest.members.items():
        _check_member(archive.getinfo(name), member)
    return manifest


def _check_member(found: zipfile.ZipInfo, member: Member) -> None:
    """Before a byte of it is written."""
    name, kind = found.filename, stat.S_IFMT(found.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise RunError(f"its {name} is no plain file")
    if found.file_size != member.bytes:
        raise RunError(f"its {name} is not what its manifest says (length or SHA-256)")
    most = LARGEST_NETWORK if name in NETWORKS else LARGEST_TEXT
    if member.bytes > most or member.bytes > LARGEST_RATIO * max(found.compress_size, CHUNK):
        raise RunError(f"its {name} unfolds to {member.bytes:,} bytes, more than such a file can have")


def _check_version(values: Mapping[str, object], path: Path) -> None:
    found = values.get("format") if isinstance(values, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise UsageError(
            f"{path} is of format {found}, but this version reads format {FORMAT}: import it with the "
            "version that wrote it, or export the run with this one"
        )


def _extract(source: IO[bytes], path: Path, member: Member) -> None:
    digest, left = hashlib.sha256(), member.bytes
    with replacing(path) as partial, partial.open("wb") as out:
        # Never more than was announced, however much a small file unfolds to.
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            out.write(chunk)
    if left != 0 or digest.hexdigest() != member.sha256:
        raise RunError(f"its {path.name} is not what its manifest says (length or SHA-256)")


def _member(path: Path) -> Member:
    with path.open("rb") as file:
        return Member(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
