"""The models: what the archives of Sweet Home 3D offer."""

import hashlib
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.household.licences import Credit, Statement, credit, harvest, licence_named

PACKAGE, VERSION = "sweethome3d-furniture", "1.8-1"
CATALOGUE, LICENCE = "PluginFurnitureCatalog.properties", "LICENSE.TXT"
IDENTITY_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class ModelsMissingError(Exception):
    """The 3D models are not where the caller says."""


@dataclass(frozen=True)
class Archive:
    """One library of models: a zip file whose member names do not distinguish case."""

    library: str
    file: zipfile.ZipFile
    members: dict[str, str] = field(repr=False)  # lower case to true name

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.members

    def read(self, name: str) -> bytes:
        """The content of a member, whatever the case of its name."""
        return self.file.read(self.members[name.lower()])

    def text(self, name: str) -> str:
        """The content of a member in Latin-1, the encoding of all catalogues and models."""
        return self.read(name).decode("latin-1")

    def size(self, name: str) -> int:
        """Bytes of a member, unpacked."""
        return self.file.getinfo(self.members[name.lower()]).file_size


@dataclass(frozen=True, kw_only=True)
class Model:
    """One 3D model and whose it is.

    Attributes:
        size: width, height and depth in centimetres.
        rotation: row-major matrix that turns the model upright.
    """

    archive: Archive = field(repr=False)
    name: str
    file: str
    category: str
    size: tuple[float, float, float]
    rotation: tuple[float, ...]
    credit: Credit

    @property
    def key(self) -> str:
        """Library and file; the same in every build."""
        return f"{self.archive.library}/{self.file}"

    @property
    def folder(self) -> str:
        """Where its materials, pictures and licence text are."""
        return self.file.rsplit("/", 1)[0]


def stable_number(text: str) -> int:
    """A number from 0 to 2**63 - 1 that depends on the text alone, in every process and version."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def archives(folder: Path) -> list[Archive]:
    """The libraries below a folder, by name.

    Raises:
        ModelsMissingError: if there are none.
    """
    paths = sorted(folder.rglob("*.sh3f"), key=lambda path: path.name)
    if not paths:
        raise ModelsMissingError(
            f"no 3D models (*.sh3f) below {folder}. They are the Debian package {PACKAGE} {VERSION}; "
            "get them with\n"
            f"    apt-get download {PACKAGE}\n"
            f"    dpkg -x {PACKAGE}_{VERSION}_all.deb models\n"
            "and pass --models models"
        )
    return [_opened(path) for path in paths]


def _opened(path: Path) -> Archive:
    file = zipfile.ZipFile(path)
    return Archive(path.stem, file, {name.lower(): name for name in file.namelist()})


def catalogue_entries(text: str) -> list[dict[str, str]]:
    """The numbered entries of a catalogue, `key#number=value`, in the order of their numbers."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for line in text.splitlines():
        match = re.match(r"(\w+)#(\d+)=(.*)", line)
        if match:
            found[int(match[2])][match[1]] = _unescaped(match[3].strip())
    return [found[number] for number in sorted(found)]


def _unescaped(value: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), value)


def models(archive: Archive) -> Iterator[tuple[str, Model | ValueError]]:
    """Name and model of each catalogue entry, or why the model's licence does not let it take part."""
    library_licence = licence_named(archive.text(LICENCE))
    statements = _statements(archive)
    for entry in catalogue_entries(archive.text(CATALOGUE)):
        file = entry["model"].lstrip("/")
        own = statements.get(file.rsplit("/", 1)[0].lower(), [])
        try:
            found = credit(archive.library, entry.get("creator", ""), own, library_licence)
        except ValueError as error:
            yield f"{archive.library}/{file}", error
        else:
            yield f"{archive.library}/{file}", _model(archive, file, entry, found)


def _statements(archive: Archive) -> dict[str, list[Statement]]:
    found: dict[str, list[Statement]] = defaultdict(list)
    for name in sorted(archive.members.values()):
        if "/" in name and name.lower().endswith((".txt", ".html")):
            text = archive.read(name).decode("utf-8", "replace").replace("\r\n", "\n")
            found[name.rsplit("/", 1)[0].lower()].append(harvest(text))
    return found


def _model(archive: Archive, file: str, entry: dict[str, str], found: Credit) -> Model:
    rotation = tuple(float(value) for value in entry.get("modelRotation", "").split())
    return Model(
        archive=archive,
        name=entry["name"],
        file=file,
        category=entry.get("category", ""),
        size=(float(entry["width"]), float(entry["height"]), float(entry["depth"])),
        rotation=rotation or IDENTITY_ROTATION,
        credit=found,
    )
