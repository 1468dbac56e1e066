"""A disk that has no more room for the tracking store, made by the system's limit on the size of a file."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cdd.recipe import Recipe
from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.tracking.store import Store
from tests.reproduce.fakes import TEACHER, FakeTraining, a_teacher, table
from tests.reproduce.stored import points, trained

RECIPE = a_teacher("mini", 0)
BYTES = 200_000
"""More than a run's files have, less than a store's database has."""


@contextmanager
def limited() -> Iterator[Callable[..., None]]:
    """Gives what sets the limit; it ends with the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, before[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_training_ends_on_a_disk_that_is_full_and_is_delivered_when_it_is_not(
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    store: Store,
    tables: dict[str, Table],
    epoch: int,
) -> None:
    tables["tiny"] = table(TEACHER)
    with limited() as fill:

        def before_epoch(recipe: Recipe, number: int) -> None:
            if number == epoch:
                fill()

        training.before_epoch = before_epoch
        (drawn,) = session().run(training)
    assert drawn.outcomes[RECIPE.run_id].state == "undelivered"
    assert "Make room on its disk." in drawn.outcomes[RECIPE.run_id].message
    training.before_epoch = lambda recipe, number: None
    assert session().run(training)[0].complete
    assert training.begun == [RECIPE.run_id]
    assert points(store, trained(store, RECIPE))["epoch"] == [1, 2, 3]
