"""What every test can rely on: checked shapes, fixed seeds, one thread per worker, no network, no store."""

import os
import random
from collections.abc import Iterator

WORKER = "PYTEST_XDIST_WORKER" in os.environ
if WORKER:
    # Before torch is imported, and inherited by the processes that tests start.
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import jaxtyping  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402
from jaxtyping import Float64, install_import_hook  # noqa: E402
from torch import Tensor  # noqa: E402

import tests.shapes  # noqa: E402, F401  (the hook below looks it up by name)

SEED = 20230618

install_import_hook("cdd", "tests.shapes.check_shapes")
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def fixed_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds every generator, and hides a tracking server that the user may have set."""
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    if WORKER:
        torch.set_num_threads(1)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def generator() -> torch.Generator:
    """A freshly seeded generator for the test's own random values."""
    return torch.Generator().manual_seed(SEED)


@pytest.fixture
def points(generator: torch.Generator) -> Float64[Tensor, "12 5"]:
    """Twelve random points in five dimensions, in general position."""
    return torch.randn(12, 5, generator=generator, dtype=torch.float64)


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Switches the shape checks off, so that the library's own message about a wrong shape is seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
