"""`--fresh` trains anew; what was there is set aside, in the folder and in the store."""

from collections.abc import Callable

from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.store import Store
from tests.reproduce.fakes import STUDENT, FakeTraining, table


def test_fresh_trains_anew_and_sets_the_old_aside(
    run: Callable[..., object],
    session: Callable[..., ArtifactPipeline],
    store: Store,
    training: FakeTraining,
    workspace: ResultsFolder,
) -> None:
    run()
    before = {run_id: runs[0].mlflow_id for run_id, runs in store.trainings().items()}
    plan = session(fresh=True).plan()
    assert {item.reason for item in plan.items} == {"asked for anew (--fresh)"}
    session(fresh=True).run(training)
    assert training.begun[2:] == training.begun[:2]
    after = store.trainings()
    assert all(len(runs) == 1 and runs[0].mlflow_id != before[run_id] for run_id, runs in after.items())
    superseded = {path.name for path in (workspace.checkpoints / "superseded").iterdir()}
    assert superseded == {f"{run_id}-1" for run_id in before}
    assert all(store.client.get_run(mlflow_id) for mlflow_id in before.values())


def test_fresh_trains_a_shared_run_once(
    session: Callable[..., ArtifactPipeline], tables: dict[str, Table], training: FakeTraining
) -> None:
    tables["other"] = table(STUDENT, name="other")
    session("tiny", "other", fresh=True).run(training)
    assert len(training.begun) == 2
