"""Launcher of a command's runs: this process, or a Ray cluster."""

import re
from contextlib import AbstractContextManager, nullcontext

from reproduce.cli.options import Launcher
from reproduce.errors import UsageError
from reproduce.execution import multi_student as side_by_side
from reproduce.execution.cluster.launcher import ray_launcher
from reproduce.execution.executor import RunLauncher
from reproduce.execution.torchrun_environment import is_distributed

ADDRESS = re.compile(r"auto|(ray://)?[A-Za-z0-9._\[\]:-]{1,255}:[0-9]{1,5}")


def launching(launcher: Launcher, address: str | None, students: int) -> AbstractContextManager[RunLauncher]:
    """What does a plan: this process, or a Ray cluster.

    Raises:
        UsageError: for options that do not go together, or an address that is none.
    """
    if launcher == "local":
        if address:
            raise UsageError(f"--address {address} is that of a Ray cluster: give --launcher ray as well")
        return nullcontext(side_by_side.launcher(students))
    if address is not None and not ADDRESS.fullmatch(address):
        raise UsageError(f"--address {address[:80]}: expected auto or HOST:PORT, for example 10.0.0.1:6379")

    if students > 1:
        raise UsageError(f"--share-teacher {students} is for one process: leave it out with --launcher ray")
    if is_distributed():
        raise UsageError("Ray starts processes of its own for each run: give --launcher ray without torchrun")
    return ray_launcher(address)
