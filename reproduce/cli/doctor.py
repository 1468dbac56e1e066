"""The verb `doctor`: what a run would need, checked one by one."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from cdd.data.dataset_facts import real_datasets
from cdd.data.embedded import EMBEDDED
from cdd.data.registry import read_copy
from cdd.errors import DataMissingError, RunError
from cdd.recipe import Data
from cdd.torchvision_guard import install
from cdd.training.environment import has_native_bfloat16, select_device
from reproduce.cli.group import FAILURE
from reproduce.cli.options import RESULTS, OutputFormat, Results
from reproduce.errors import UsageError
from reproduce.storage.provenance import code_version, versions
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking import connection
from reproduce.tracking.store import existing_store

LEAST_FREE_GIGABYTES = 2
NAMED = 3
"""Changed files that a check names."""


@dataclass(frozen=True)
class Check:
    """One thing examined, and what was found."""

    name: str
    ok: bool
    detail: str


def doctor(
    data_root: Annotated[Path | None, typer.Option(help="Also look for the real data sets here.")] = None,
    results: Results = RESULTS,
    output: OutputFormat = "text",
) -> None:
    """Checks versions, device, store, results folder, disk, git and data sets.

    python -m reproduce doctor --data-root /data --format json
    """
    checks = examine(results, data_root)
    if output == "json":
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<14} {check.detail}")
    if not all(check.ok for check in checks):
        raise typer.Exit(FAILURE)


def examine(results: Path, data_root: Path | None = None) -> list[Check]:
    """Every check, in the order in which a run would fail; real data sets where a root is given."""
    workspace = ResultsFolder(results.resolve())
    checks: dict[str, Callable[[], str]] = {
        "torch": _torch,
        "torchvision": _torchvision,
        "device": _device,
        "results folder": lambda: _folder(workspace),
        "disk": lambda: _disk(workspace),
        "tracking store": lambda: _store(workspace),
        "git": _git,
        "embedded data": _data,
    }
    if data_root is not None:
        checks |= {name: partial(_real_data, name, data_root) for name in real_datasets()}
    return [_checked(name, look) for name, look in checks.items()]


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (RunError, ValueError, OSError, ImportError, RuntimeError) as error:
        return Check(name, False, str(error))


def _torch() -> str:

    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def _torchvision() -> str:
    install()
    import torchvision  # noqa: F401, PLC0415  (whether it loads beside this torch, behind its guard)

    found = versions()
    torch_minor, vision_minor = (int(found[name].split(".")[1]) for name in ("torch", "torchvision"))
    # torchvision 0.N+15 is built for torch 2.N.
    if vision_minor != torch_minor + 15:
        raise ValueError(
            f"{found['torchvision']} is not the release for torch {found['torch']}: "
            f"install torchvision 0.{torch_minor + 15}"
        )
    return found["torchvision"]


def _device() -> str:

    device = select_device("auto")
    number = f" (GPUs: {torch.cuda.device_count()})" if device.type == "cuda" else ""
    return f"{device.type}{number}, bfloat16 {'native' if has_native_bfloat16(device) else 'not native'}"


def _folder(workspace: ResultsFolder) -> str:
    workspace.check_writable()
    return f"{workspace.results} is writable"


def _disk(workspace: ResultsFolder) -> str:
    free = shutil.disk_usage(workspace.results).free / 1e9
    if free < LEAST_FREE_GIGABYTES:
        raise UsageError(f"{free:.1f} GB free, checkpoints need about {LEAST_FREE_GIGABYTES} GB")
    return f"{free:.1f} GB free"


def _store(workspace: ResultsFolder) -> str:
    uri = connection.tracking_uri(workspace.results)
    store = existing_store(workspace, code_version())
    if store is None:
        return f"{connection.redacted(uri)} is made by the first run"
    return f"{connection.redacted(uri)} answers, {len(store.trainings())} trainings"


def _git() -> str:
    code = code_version()
    if code.commit == "unknown":
        return "no git work tree: results will not name a commit"
    if not code.changed:
        return f"{code.commit[:10]}, clean"
    named = ", ".join([*code.changed[:NAMED], *(["..."] if len(code.changed) > NAMED else [])])
    kind = "" if code.dirty else " of the reference alone"
    return f"{code.commit[:10]}, {len(code.changed)} changed files{kind}: {named}"


def _data() -> str:
    digests = [f"{name} {make(32, 32).digest[:12]}" for name, make in EMBEDDED.items()]
    return f"{', '.join(digests)}, as frozen"


def _real_data(name: str, data_root: Path) -> str:
    try:
        copy = read_copy(Data(name=name), data_root)
    except DataMissingError:
        return f"not in {data_root}"
    remarks = f"; {'; '.join(copy.remarks)}" if copy.remarks else ", as published"
    return f"{len(copy.records)} images in {copy.folder}, layout {copy.layout}{remarks}"
