"""The Ray cluster: the way to it, what a task takes of it, and whether its machines can do the work."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cdd.training.environment import Machine
from reproduce.errors import UsageError
from reproduce.execution.cluster.task import EventQueue, TaskContext
from reproduce.execution.executor import ExecutionContext
from reproduce.tracking.connection import VARIABLE, sqlite_file

OWN = "local"
"""Ray's word for a new cluster of this machine alone, which ends with the command."""
MEMORY = 100 * 2**20  # bytes for what passes between tasks, which is little
THREADS = "OMP_NUM_THREADS"
SECONDS_TO_ANSWER = 10.0


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connects this process to the cluster at this address, else at `RAY_ADDRESS`, else to one of its own.

    Raises:
        UsageError: if Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--launcher ray needs Ray, which is not installed: pip install '.[cluster]'"
        ) from error
    where = address or os.environ.get("RAY_ADDRESS") or OWN
    own = {"object_store_memory": MEMORY, "include_dashboard": False} if where == OWN else {}
    try:
        _knock(where)
        ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UsageError(
            f"no Ray cluster takes us in at {where} ({str(error).partition(chr(10))[0]}): start one with "
            "`ray start --head`, or leave --address out for one of this machine alone"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Finds out at once what Ray would try for minutes: whether anything listens at HOST:PORT."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()


def check(job: ExecutionContext) -> None:
    """Finds out before any work what the tasks would find out one by one, or wait for in vain.

    Raises:
        UsageError: if the store is a file and not all machines are this one.
    """
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    others = {node["NodeManagerHostname"] for node in nodes} - {socket.gethostname()}
    if others and sqlite_file(job.store.uri):
        raise UsageError(
            f"the tracking store is a file of this machine, which {', '.join(sorted(others))} cannot share: "
            f"start `mlflow server` and set {VARIABLE} to its address"
        )
    needed = resources(_placed(job.machine))
    offers = {"num_cpus": "CPU", "num_gpus": "GPU"}
    if not any(all(node["Resources"].get(offers[k], 0) >= v for k, v in needed.items()) for node in nodes):
        words = " and ".join(f"{count} {offers[name]}" for name, count in needed.items())
        job.listener.warned(f"No machine of the cluster has {words} for a run: waiting for one that has.")


def resources(machine: Machine) -> dict[str, int]:
    """What a run takes: a GPU where it computes on one, and as many cores as the user gives it threads."""
    cores = torch.get_num_threads() if THREADS in os.environ else 1
    return {"num_cpus": cores, **({"num_gpus": 1} if machine.device == "cuda" else {})}


def order(job: ExecutionContext, token: Path) -> TaskContext:
    """What the tasks of a job are told."""
    return TaskContext(
        uri=job.store.uri,
        workspace=job.workspace,
        token=token,
        published=job.published,
        experiment=job.experiment,
        parent=job.parent,
        train=job.train,
        machine=_placed(job.machine),
        commit=job.store.code.commit,
        settings={name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")},
        tags=job.tags,
    )


def mailbox() -> Any:
    """A mailbox on this machine, so that no other machine's end takes it along."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(EventQueue).options(num_cpus=0, scheduling_strategy=here).remote()


def _placed(machine: Machine) -> Machine:
    """The machine of a task: on the GPU that Ray gives it, if the cluster has any; files by full paths."""
    import ray

    has_gpu = ray.cluster_resources().get("GPU", 0) > 0
    on_gpu = machine.device.startswith("cuda") or (machine.device == "auto" and has_gpu)
    return replace(
        machine,
        device="cuda" if on_gpu else machine.device,
        data_root=machine.data_root and machine.data_root.resolve(),
        imagenet=machine.imagenet and machine.imagenet.resolve(),
    )
