"""Which code produced a number: git commit, state of the work tree, versions of the libraries."""

import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "torchvision", "mlflow", "numpy")


@dataclass(frozen=True)
class Source:
    """State of the code. `commit` is "unknown" outside a git work tree."""

    commit: str
    dirty: bool


def source() -> Source:
    """State of this code; what the program itself writes under `results/` does not count as a change."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return Source("unknown", dirty=True)
    return Source(commit, dirty=bool(_git("status", "--porcelain", "--", ".", ":!results")))


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
