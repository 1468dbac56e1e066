"""Version of the code behind a number: git commit, state of the work tree, versions of the libraries."""

import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = "results/"
PACKAGES = ("torch", "torchvision", "mlflow", "numpy")


@dataclass(frozen=True)
class CodeVersion:
    """State of the code.

    Attributes:
        commit: "unknown" outside a git work tree.
        dirty: whether a file has changed that a number can depend on; those of the reference are results.
        changed: every file that differs from the commit.
    """

    commit: str
    dirty: bool
    changed: tuple[str, ...] = ()


def code_version() -> CodeVersion:
    """State of this code."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return CodeVersion("unknown", dirty=True)
    lines = (
        _git("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=all") or ""
    ).splitlines()
    changed = tuple(line.strip().partition(" ")[2].strip() for line in lines)
    return CodeVersion(commit, any(not name.startswith(RESULTS) for name in changed), changed)


def versions() -> dict[str, str]:
    """Installed versions of what a number can depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
