"""A study of the small table, and what the tracking store has of it."""

from collections.abc import Callable
from typing import Any

from reproduce.studies.study import RowStudy
from reproduce.tracking import connection
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE

MakeStudy = Callable[..., RowStudy]


def open_runs(found: RowStudy) -> list[Any]:
    store = Store(connection.tracking_uri(found.workspace.results), found.workspace, CODE)
    experiment = store.client.get_experiment_by_name(f"study-{found.name}")
    assert experiment is not None
    return list(store.client.search_runs([experiment.experiment_id]))
