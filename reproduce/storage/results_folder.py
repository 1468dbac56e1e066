"""Paths below the results folder and of the committed reference: run folders, locks, records, tables."""

import hashlib
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from reproduce.errors import UsageError
from reproduce.storage.provenance import ROOT

REFERENCE = ROOT / "results" / "reference"
"""What this project has measured and publishes; only `record` writes here."""


@dataclass(frozen=True)
class ResultsFolder:
    """The results folder of a user, and the reference that its numbers are compared with.

    Attributes:
        host: whose folder it is; on a shared file system the machine that gave the command.
        reference: records, tables and figures that are committed, one folder per scale.
    """

    results: Path
    host: str = field(default_factory=socket.gethostname)
    reference: Path = field(default_factory=lambda: REFERENCE)

    @property
    def checkpoints(self) -> Path:
        """Parent of all run folders."""
        return self.results / "checkpoints"

    @property
    def name(self) -> str:
        """Tells this folder on this machine from others that share a tracking store."""
        return hashlib.sha256(f"{self.host}:{self.results}".encode()).hexdigest()[:8]

    def folder(self, run_id: str) -> Path:
        """Checkpoints, weights and result of one run."""
        return self.checkpoints / run_id

    def has_files(self, run_id: str) -> bool:
        """Whether a training has begun to write here."""
        folder = self.folder(run_id)
        return folder.is_dir() and any(folder.iterdir())

    def lock(self, name: str) -> FileLock:
        """A lock that only one process holds; the system frees it when that process ends."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        return FileLock(self.checkpoints / f"{name}.lock")

    def set_aside(self, run_id: str) -> Path | None:
        """Moves a run's folder out of the way; returns where to, None where there was nothing."""
        folder = self.folder(run_id)
        if not self.has_files(run_id):
            return None
        parent = self.checkpoints / "superseded"
        parent.mkdir(exist_ok=True)
        number = sum(1 for old in parent.iterdir() if old.name.startswith(run_id))
        return folder.rename(parent / f"{run_id}-{number + 1}")

    def scale_folder(self, scale: str, overridden: str | None = None) -> Path:
        """Folder of tables and records at a scale; overridden runs have their own."""
        folder = self.results / scale
        return folder / "overridden" / overridden if overridden else folder

    def check_writable(self) -> None:
        """Makes sure that results can be written before any work is done.

        Raises:
            UsageError: if not, and for the reference's own folder.
        """
        if self.results.is_relative_to(self.reference):
            raise UsageError(
                f"--results {self.results} is the committed reference, which only `record` writes: name "
                "another folder"
            )
        require_folder(self.results)
        try:
            self.results.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.results):
                pass
        except OSError as error:
            raise UsageError(
                f"the results folder {self.results} cannot be written ({error.strerror}): make it "
                "writable or name another with --results"
            ) from error


def require_folder(results: Path) -> None:
    """Makes sure that nothing but a folder stands where the results are or shall be.

    Raises:
        UsageError: naming the file in the way, or what is wrong with the name.
    """
    try:
        found = next((place for place in (results, *results.absolute().parents) if place.exists()), None)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the results folder {str(results)[:80]!r} cannot be written ({error}): name another with "
            "--results"
        ) from error
    if found is not None and not found.is_dir():
        raise UsageError(
            f"the results folder {results} cannot be written ({found} is a file): name another with --results"
        )
