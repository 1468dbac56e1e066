"""Which process of torchrun this one is, as its environment says."""

import os


def are_several() -> bool:
    """Whether torchrun started this process and others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ["WORLD_SIZE"] != "1"


def follows() -> bool:
    """Whether torchrun started this process as another than the first."""
    return are_several() and os.environ["RANK"] != "0"
