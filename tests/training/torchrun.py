"""How tests start several processes."""

import socket
import sys


def torchrun(processes: int, module: str, *arguments: str) -> list[str]:
    """The command that starts a module in several processes of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--master-port", str(port)]
    return [*launcher, "--nproc-per-node", str(processes), "-m", module, *arguments]
