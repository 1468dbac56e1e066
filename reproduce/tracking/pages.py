"""Addresses of the experiments in MLflow's interface, and the port that serves it."""

import errno
import socket

from reproduce.errors import UsageError
from reproduce.tracking.connection import store_errors
from reproduce.tracking.store import Store

HOST = "127.0.0.1"


def experiments(store: Store, base: str) -> list[tuple[str, str]]:
    """Name and address of every experiment that this project made, the latest first.

    Raises:
        StoreError: if the store does not answer.
    """
    with store_errors(store.uri):
        found = store.client.search_experiments(order_by=["last_update_time DESC"])
    return [
        (known.name, f"{base}/#/experiments/{known.experiment_id}")
        for known in found
        if known.experiment_id != "0"  # MLflow's own
    ]


def check_port(port: int) -> None:
    """Makes sure that pages can be served on a port of this machine.

    Raises:
        UsageError: if it is taken, or for the system alone.
    """
    try:
        _bind(port)
    except OSError as error:
        words = {errno.EADDRINUSE: "is taken by another process", errno.EACCES: "is for the system alone"}
        raise UsageError(
            f"--port {port} {words.get(error.errno or 0, error.strerror)}: give another, such as "
            f"--port {_bind(0)}"
        ) from error


def _bind(port: int) -> int:
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        return int(found.getsockname()[1])
