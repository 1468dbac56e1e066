"""Role of this process under torchrun, from the environment variables."""

import os


def is_distributed() -> bool:
    """Whether torchrun started this process and others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ["WORLD_SIZE"] != "1"


def is_worker() -> bool:
    """Whether torchrun started this process as another than the first."""
    return is_distributed() and os.environ["RANK"] != "0"
