"""A Ray cluster of two machines that are both this one, with a core each."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from cdd.recipe import Recipe
from cdd.result import Result
from tests.reproduce.fakes import FakeTraining

MEMORY = 80 * 2**20
"""The least that Ray takes for what passes between tasks."""
SECONDS = 300


class TwoNodes:
    """The running cluster; the command connects to the first, so that only the second may die."""

    def __init__(self, cluster: Any, second: Any):
        self.address: str = cluster.address
        self._cluster, self._second = cluster, second

    def second_node_dies(self) -> None:
        self._cluster.remove_node(self._second, allow_graceful=False)

    def trained_on_second(self, run_ids: list[str]) -> str:
        """Which of these runs the second node trains; waits until it trains one."""
        (raylet,) = self._second.all_processes["raylet"]
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for run_id in run_ids:
                worker = worker_of(run_id)
                with suppress(psutil.NoSuchProcess):
                    if worker and raylet.process.pid in [parent.pid for parent in worker.parents()]:
                        return run_id
            time.sleep(0.05)
        raise AssertionError(f"the second node trains none of {run_ids}")


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Starts it; skips the test where Ray is not installed."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[cluster]'")
    from ray.cluster_utils import Cluster  # noqa: PLC0415  (an optional extra)

    node = {"num_cpus": 1, "object_store_memory": MEMORY}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # whatever token this user has
        patch.setenv("OMP_NUM_THREADS", "1")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # A run asks for as many cores, and each machine has one.
        # Else the workers stand behind everything else on this machine, other tests among it.
        patch.setenv("RAY_worker_niceness", "0")
        # A machine is dead after five checks without a connection; Ray makes one in three seconds.
        patch.setenv("RAY_health_check_period_ms", "500")
        # Ray cancels by Ctrl-C, which what a script starts in its background, and its children, ignore.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        head = {**node, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            yield TwoNodes(cluster, cluster.add_node(**node))
        finally:
            cluster.shutdown()
            signal.signal(signal.SIGINT, before)
            torch.set_num_threads(threads)


def worker_of(run_id: str) -> psutil.Process | None:
    """The process in which Ray trains this run."""
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith(f"ray::{run_id}"):
            return process
    return None


class DeadlyTraining(FakeTraining):
    """Kills the process that it runs in, where it is given a run without a teacher of seed 0."""

    def __call__(self, recipe: Recipe, folder: Path, **named: Any) -> Result:
        if recipe.teacher is None and recipe.seed == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(recipe, folder, **named)
