"""One file that carries a finished run: a zip of known members behind a manifest with their digests.

The same run gives the same bytes. A file from elsewhere is not trusted: no member is written before its name
is known, and none is kept whose length or digest is not the manifest's.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cdd.errors import RunError
from cdd.run import DEPLOYED, DISTILLER, RESULT, WEIGHTS
from reproduce.errors import UsageError
from reproduce.records import SOURCE
from reproduce.tracked_copy import TRACKING

FORMAT: Literal[1] = 1
MANIFEST, RECIPE = "manifest.json", "recipe.json"
NETWORKS = (WEIGHTS, DEPLOYED, DISTILLER)
NEEDED = (RECIPE, RESULT, SOURCE)
MEMBERS = (*NEEDED, TRACKING, *NETWORKS)
LARGEST_MANIFEST = 100_000  # bytes
PLACE = r"(mini|bench|paper)(/overridden/[0-9a-f]+|/studies/[a-z0-9][a-z0-9-]*)?|"
"""Where a record may go, below the results; empty for a run that no command of the suite made."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold: the hour of packing is no part of a run."""
CHUNK = 1 << 20


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Facts):
    """Length and digest of one file."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Origin(_Facts):
    """Where a run was exported: the results folder, by a name that hides it, and the run in its store."""

    workplace: str
    mlflow_id: str | None


class Manifest(_Facts):
    """What an archive says of itself.

    Attributes:
        label: the run's name for people.
        published: folder of its record below the results.
    """

    format: Literal[1] = FORMAT
    run_id: str = Field(pattern=r"^[0-9a-f]{12}$")
    label: str
    published: str = Field(pattern=f"^({PLACE})$")
    origin: Origin
    members: dict[str, Member] = {}

    @property
    def has_networks(self) -> bool:
        """Whether weights come with the numbers."""
        return WEIGHTS in self.members


def pack(manifest: Manifest, folder: Path, path: Path) -> Manifest:
    """Writes the members that lie in the folder, complete or not at all; returns the manifest as written."""
    files = [folder / name for name in MEMBERS if (folder / name).exists()]
    full = manifest.model_copy(update={"members": {file.name: _member(file) for file in files}})
    partial = path.with_name(f"{path.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            archive.writestr(_entry(MANIFEST), json.dumps(full.model_dump(), indent=2))
            for file in files:
                with file.open("rb") as source, archive.open(_entry(file.name), "w", force_zip64=True) as out:
                    shutil.copyfileobj(source, out, CHUNK)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
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
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive, path)
            for name, member in manifest.members.items():
                with archive.open(name) as source:
                    _extract(source, folder / name, member)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise RunError(
            f"{path} is no whole run: {error}. Nothing was imported. Copy the file again, or export the run "
            "anew"
        ) from error
    return manifest


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    names = archive.namelist()
    if MANIFEST not in names or archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
        raise RunError("it has no manifest")
    try:
        values = json.loads(archive.read(MANIFEST))
        _check_version(values, path)
        manifest = Manifest.model_validate(values)
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"its manifest cannot be read ({_first(error)})") from error
    strange = sorted({*names, *manifest.members} - {MANIFEST, *MEMBERS})
    if strange:
        raise RunError(f"it holds {strange[0]!r}, which no run has")
    if sorted(names) != sorted([MANIFEST, *manifest.members]):
        raise RunError("its members are not those of its manifest")
    lacking = [name for name in NEEDED if name not in manifest.members]
    if lacking:
        raise RunError(f"it lacks {', '.join(lacking)}")
    return manifest


def _check_version(values: Mapping[str, object], path: Path) -> None:
    found = values.get("format") if isinstance(values, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise UsageError(
            f"{path} is of format {found}, but this version reads format {FORMAT}: import it with the "
            "version that wrote it, or export the run with this one"
        )


def _extract(source: IO[bytes], path: Path, member: Member) -> None:
    digest, left = hashlib.sha256(), member.bytes
    with path.open("wb") as out:
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


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)
