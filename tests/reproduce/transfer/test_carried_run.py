"""A run that is exported here and imported elsewhere is there as if it had been trained there."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cdd.recipe import Recipe
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.finished_runs import FinishedRuns
from tests.reproduce.carried import everything_in, exported, imported, refused, states, store_of
from tests.reproduce.fakes import CODE, FakeTraining, Recorder, a_student, a_teacher
from tests.reproduce.said import Said
from tests.reproduce.stored import points, trained

STUDENT, TEACHER = a_student("mini", 0), a_teacher("mini", 0)
NETWORKS = {"weights.pt", "deployed.pt"}


@pytest.mark.parametrize("left", ["folder and store", "store", "folder"])
def test_what_is_imported_is_planned_as_reused_with_the_same_record(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline], left: str
) -> None:
    record = cluster / "mini" / "runs" / f"{STUDENT.run_id}.json"
    before = record.read_bytes()
    if left == "store":
        shutil.rmtree(cluster / "checkpoints")
        shutil.rmtree(cluster / "mini")
    if left == "folder":
        (cluster / "mlflow.db").unlink()
    path = exported(cluster, STUDENT)
    assert imported(laptop, path)["state"] == "imported"
    found = states(session, laptop)
    assert found[STUDENT.run_id][0] == "reuse"
    assert "imported, finished" in found[STUDENT.run_id][1]
    assert found[TEACHER.run_id] == ("run", "never run")
    assert (laptop / "mini" / "runs" / record.name).read_bytes() == before


def test_the_store_has_the_same_points_at_the_same_times_and_says_where_they_come_from(
    cluster: Path, laptop: Path
) -> None:
    ours = store_of(cluster)
    mlflow_id = trained(ours, STUDENT).info.run_id
    ours.client.log_metric(mlflow_id, "system/cpu_utilization_percentage", 37.5, step=4)
    source = trained(ours, STUDENT)
    imported(laptop, exported(cluster, STUDENT))
    theirs = store_of(laptop)
    copy = trained(theirs, STUDENT)
    assert points(theirs, copy) == points(ours, source)
    for name in source.data.metrics:
        wanted, found = (
            [(p.step, p.timestamp, p.value) for p in store.client.get_metric_history(run.info.run_id, name)]
            for store, run in ((ours, source), (theirs, copy))
        )
        assert found == wanted
    assert copy.data.params == source.data.params
    assert (copy.info.start_time, copy.info.end_time) == (source.info.start_time, source.info.end_time)
    assert copy.info.run_name == source.info.run_name
    origin = json.loads(copy.data.tags["cdd.imported"])
    assert origin == {"workplace": ResultsFolder(cluster.resolve()).name, "mlflow_id": source.info.run_id}
    kept = ("mlflow.source.git.commit", "cdd.version.torch", "cdd.environment", "cdd.recipe_digest")
    assert {name: copy.data.tags[name] for name in kept} == {name: source.data.tags[name] for name in kept}
    assert "mlflow.parentRunId" not in copy.data.tags


def test_a_student_can_be_trained_from_an_imported_teacher(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> None:
    imported(laptop, exported(cluster, TEACHER))
    training.begun.clear()
    (drawn,) = session(results=laptop).run(training)
    assert training.begun == [STUDENT.run_id]
    assert drawn.complete


def test_a_teacher_of_which_only_the_store_has_the_weights_serves_as_well(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> None:
    imported(laptop, exported(cluster, TEACHER))
    shutil.rmtree(laptop / "checkpoints")
    assert session(results=laptop).run(training)[0].complete


def test_a_gallery_of_an_imported_run_shows_the_same(cluster: Path, laptop: Path) -> None:
    imported(laptop, exported(cluster, STUDENT))

    def drawn(results: Path) -> dict[str, bytes]:
        words = ("--queries", "2", "--top", "3", "--device", "cpu", "--format", "json")
        files = Said("gallery", STUDENT.run_id, "--results", results, *words).json["files"]
        return {Path(name).name: Path(name).read_bytes() for name in files}

    before = drawn(cluster)
    assert drawn(laptop) == before
    # Without its record, the store says the run's scale.
    shutil.rmtree(laptop / "mini")
    assert drawn(laptop) == before


def test_importing_twice_changes_nothing(cluster: Path, laptop: Path) -> None:
    path = exported(cluster, STUDENT)
    imported(laptop, path)
    before = trained(store_of(laptop), STUDENT)
    files = everything_in(laptop / "checkpoints") | everything_in(laptop / "mini")
    assert imported(laptop, path) == {
        "run_id": STUDENT.run_id,
        "label": "Student",
        "state": "already there",
        "said": [],
    }
    assert trained(store_of(laptop), STUDENT).to_dictionary() == before.to_dictionary()
    assert everything_in(laptop / "checkpoints") | everything_in(laptop / "mini") == files
    assert imported(cluster, path)["state"] == "already there"


def test_the_same_run_gives_the_same_bytes(cluster: Path) -> None:
    assert exported(cluster, STUDENT).read_bytes() == exported(cluster, STUDENT).read_bytes()


def test_numbers_alone_are_imported_and_their_weights_later(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline]
) -> None:
    bare = exported(cluster, TEACHER, "--without-weights")
    with zipfile.ZipFile(bare) as archive:
        assert not NETWORKS & set(archive.namelist())
    assert "trains it anew" in " ".join(imported(laptop, bare)["said"])
    assert not (laptop / "checkpoints" / TEACHER.run_id).exists()
    found = states(session, laptop)
    assert found[TEACHER.run_id] == ("run", "finished, but its weights are gone")
    assert imported(laptop, exported(cluster, TEACHER))["state"] == "completed"
    assert states(session, laptop)[TEACHER.run_id][0] == "reuse"
    assert imported(laptop, bare)["state"] == "already there"


def test_an_export_without_weights_needs_none(cluster: Path, laptop: Path) -> None:
    (cluster / "checkpoints" / STUDENT.run_id / "weights.pt").unlink()
    (cluster / "mlflow.db").unlink()
    assert imported(laptop, exported(cluster, STUDENT, "--without-weights"))["state"] == "imported"
    out = cluster.parent / "other.zip"
    said = Said("export-run", STUDENT.run_id, "--results", cluster, "--out", out)
    assert said.code == 2
    assert "only the numbers of run" in said.err
    assert not out.exists()


def test_an_unfinished_training_of_the_same_run_is_set_aside_not_lost(
    cluster: Path,
    laptop: Path,
    session: Callable[..., ArtifactPipeline],
    training: FakeTraining,
    listener: Recorder,
) -> None:
    def stop(recipe: Recipe, number: int) -> None:
        if number == 2:
            raise RuntimeError("the power went out")

    path = exported(cluster, TEACHER)
    training.before_epoch = stop
    session(results=laptop).run(training)
    assert states(session, laptop)[TEACHER.run_id][0] == "resume"
    assert "lies in" in " ".join(imported(laptop, path)["said"])
    assert states(session, laptop)[TEACHER.run_id][0] == "reuse"
    assert (laptop / "checkpoints" / "superseded" / f"{TEACHER.run_id}-1" / "epochs.json").exists()
    assert len(store_of(laptop).trainings()[TEACHER.run_id]) == 1


def test_a_run_that_finished_here_with_other_numbers_stays(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline], deployed: Path
) -> None:
    path = exported(cluster, TEACHER)
    other = FakeTraining(deployed)
    other.metrics = lambda recipe: {"camera_rule/mAP": 0.25}
    session(results=laptop).run(other)
    found = imported(laptop, path)
    assert found["state"] == "already there"
    assert "other numbers" in found["said"][0]
    assert trained(store_of(laptop), TEACHER).data.metrics["deployed/camera_rule/mAP"] == 0.25
    # It was trained, and the store does not know it yet.
    store = store_of(laptop)
    store.supersede(store.trainings()[TEACHER.run_id], "as if it had never been delivered")
    refused(laptop, path, "was trained here, too, with other numbers", "deliver it", code=2)


def test_an_import_that_lost_the_store_leaves_nothing_and_goes_on(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(cluster, TEACHER)
    with monkeypatch.context() as broken:
        broken.setattr("reproduce.tracking.training_run.TrackedRun.complete", _lost)
        assert Said("import-run", path, "--results", laptop).code == 1
    assert states(session, laptop)[TEACHER.run_id] == ("run", "never run")
    assert not [path for path in (laptop / "checkpoints").iterdir() if path.is_dir()]
    assert not (laptop / "mini").exists()
    assert imported(laptop, path)["state"] == "imported"
    assert states(session, laptop)[TEACHER.run_id][0] == "reuse"
    assert len(store_of(laptop).trainings()[TEACHER.run_id]) == 1
    assert not (laptop / "checkpoints" / "superseded").exists()


def _lost(*arguments: object) -> None:
    raise OSError("the network is down")


def test_a_run_of_a_study_or_with_overrides_keeps_its_place(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> None:
    changed = session(changes=["schedule.epochs=4"])
    changed.run(training)
    (path,) = [p for p in (changed.drawer.folder / "runs").glob("*.json") if "CapacityD" in p.read_text()]
    out = cluster.parent / "changed.zip"
    Said("export-run", path.stem, "--results", cluster, "--out", out)
    imported(laptop, out)
    place = path.relative_to(cluster.resolve())
    assert place.parts[1] == "overridden"
    assert (laptop / place).read_bytes() == path.read_bytes()
    found = FinishedRuns(ResultsFolder(laptop.resolve()), CODE).find(path.stem)
    assert found.published == laptop.resolve() / place.parent.parent
