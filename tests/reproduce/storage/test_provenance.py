"""What is packed belongs together, and damaged files are named, not packed, drawn or shown."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.query_results import read_query_results
from tests.reproduce.carried import imported, states, store_of
from tests.reproduce.fakes import CODE, FakeTraining, a_student
from tests.reproduce.said import Said

STUDENT = a_student("mini", 0)
OTHER = "f" * 40


def packed(results: Path) -> tuple[dict[str, Any], Path, dict[str, Any]]:
    """What the command said, the file, and its JSON members by name."""
    path = results.parent / "packed.zip"
    path.unlink(missing_ok=True)
    words = ("--out", path, "--results", results, "--format", "json")
    said = Said("export-run", STUDENT.run_id, *words).json
    with zipfile.ZipFile(path) as archive:
        texts = {n: json.loads(archive.read(n)) for n in archive.namelist() if n.endswith(".json")}
    return said, path, texts


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_an_old_record_does_not_lend_its_commit_to_new_weights(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline]
) -> None:
    said, _, texts = packed(cluster)
    assert said["said"] == []
    assert texts["source.json"]["git_commit"] == CODE.commit
    record = cluster / "mini" / "runs" / f"{STUDENT.run_id}.json"
    edited(record, lambda values: values["environment"].update(git_commit=OTHER))
    edited(record, lambda values: values["metrics"].update({"camera_rule/mAP": 0.99}))
    said, path, texts = packed(cluster)
    assert texts["source.json"]["git_commit"] == CODE.commit
    assert texts["result.json"]["metrics"]["camera_rule/mAP"] != 0.99
    (line,) = said["said"]
    for part in (str(record), OTHER[:12], CODE.commit[:12], str(cluster.resolve() / "checkpoints")):
        assert part in line
    imported(laptop, path)
    theirs = json.loads((laptop / "mini" / "runs" / record.name).read_text())
    assert theirs["environment"]["git_commit"] == CODE.commit
    assert theirs["metrics"]["camera_rule/mAP"] != 0.99


def test_the_curves_of_another_training_are_not_packed(
    cluster: Path, laptop: Path, session: Callable[..., ArtifactPipeline]
) -> None:
    folder = cluster / "checkpoints" / STUDENT.run_id
    edited(folder / "result.json", lambda values: values["metrics"].update({"camera_rule/mAP": 0.99}))
    edited(folder / "source.json", lambda values: values.update(git_commit=OTHER))
    said, path, texts = packed(cluster)
    assert "tracking.json" not in texts
    assert texts["source.json"]["git_commit"] == OTHER
    assert texts["manifest.json"]["origin"]["mlflow_id"] is None
    assert "curves and times are not packed" in said["said"][1]
    imported(laptop, path)
    assert states(session, laptop)[STUDENT.run_id][0] == "reuse"


def test_files_come_from_one_place(cluster: Path) -> None:
    folder = cluster / "checkpoints" / STUDENT.run_id
    edited(folder / "result.json", lambda values: values["metrics"].update({"camera_rule/mAP": 0.99}))
    edited(folder / "source.json", lambda values: values.update(git_commit=OTHER))
    (folder / "weights.pt").unlink()
    said, _, texts = packed(cluster)
    assert texts["result.json"]["metrics"]["camera_rule/mAP"] != 0.99
    assert texts["source.json"]["git_commit"] == CODE.commit
    assert said["said"] == []


def zeroed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = next(
        place for place in range(len(content) // 3, len(content)) if any(content[place : place + 100])
    )
    content[middle : middle + 100] = bytes(100)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("where", ["folder", "store"])
def test_damaged_networks_are_neither_packed_nor_drawn(cluster: Path, where: str) -> None:
    folder = cluster / "checkpoints" / STUDENT.run_id
    place = "deployed.pt"
    for name in ("weights.pt", "deployed.pt"):
        for path in [folder / name, *cluster.glob(f"mlartifacts/**/{name}")]:
            zeroed(path)
    if where == "store":
        shutil.rmtree(cluster / "checkpoints")
        place = f"of run {STUDENT.run_id} in the tracking store"
    out = cluster.parent / "out.zip"
    for words in (
        ("export-run", STUDENT.run_id, "--out", out),
        ("gallery", STUDENT.run_id, "--queries", "2", "--top", "2", "--device", "cpu"),
    ):
        said = Said(*words, "--results", cluster)
        assert said.code == 1, said.err
        assert "is damaged: " in said.err
        assert place in said.err or "weights.pt" in said.err
    assert not out.exists()
    assert not (cluster / "mini" / "figures").exists()


def test_a_damaged_result_is_named_by_whatever_reads_it(
    cluster: Path, session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> None:
    path = cluster / "checkpoints" / STUDENT.run_id / "result.json"
    (cluster / "mini" / "runs" / f"{STUDENT.run_id}.json").unlink()
    path.write_text('{"metrics": []}')
    said = Said("export-run", STUDENT.run_id, "--out", cluster.parent / "out.zip", "--results", cluster)
    assert said.code == 1
    assert "result.json is damaged: " in said.err
    store = store_of(cluster)
    store.supersede(store.trainings()[STUDENT.run_id], "as if it had never been delivered")
    state, reason = states(session, cluster)[STUDENT.run_id]
    assert state == "deliver"
    assert f"{path.resolve()} is damaged: " in reason
    assert "trains this run anew, and no other" in reason
    (drawn,) = session().run(training)
    assert drawn.outcomes[STUDENT.run_id].state == "failed"
    assert f"{path.resolve()} is damaged: " in drawn.outcomes[STUDENT.run_id].message


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "metrics as a list": lambda values: values.update(metrics=[0.5]),
    "a number as a text": lambda values: values["metrics"].update({"camera_rule/mAP": "0.5"}),
    "a boolean as a number": lambda values: values["metrics"].update({"camera_rule/mAP": True}),
    "not a number": lambda values: values["metrics"].update({"camera_rule/mAP": float("nan")}),
    "a ragged history": lambda values: values["history"]["epoch"].pop(),
    "a history of texts": lambda values: values["history"].update({"loss/total": ["a", "b", "c"]}),
    "an environment as a list": lambda values: values.update(environment=["cpu"]),
    "a nested environment": lambda values: values["environment"].update(device={"name": "cpu"}),
    "no metrics": lambda values: values.pop("metrics"),
    "a recipe as a text": lambda values: values.update(recipe="recipe"),
    "another run's id": lambda values: values.update(run_id="0" * 12),
    "channels as a text": lambda values: values.update(channels="1,2"),
}


def test_a_record_of_other_types_is_named_by_every_verb_that_reads_it(cluster: Path) -> None:
    record = cluster / "mini" / "runs" / f"{STUDENT.run_id}.json"
    whole = record.read_text()
    for what, damage in DAMAGES.items():
        record.write_text(whole)
        edited(record, damage)
        said = Said("show", "tiny", "--results", cluster)
        assert said.code == 1, what
        assert f"{record.name} is damaged: " in said.err, what
        assert "Traceback" not in said.err, what


WHOLE = '{"average_precision": {"camera_rule": [0.5]}, "rank1_correct": {"camera_rule": "1"}}'
ANSWERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "texts": lambda values: values.update(average_precision={"camera_rule": ["0.5"]}),
    "no lists": lambda values: values.update(average_precision={"camera_rule": 0.5}),
    "above one": lambda values: values.update(average_precision={"camera_rule": [1.5]}),
    "other characters": lambda values: values.update(rank1_correct={"camera_rule": "x"}),
    "of another length": lambda values: values.update(rank1_correct={"camera_rule": "10"}),
}


def test_answers_of_other_types_are_named(tmp_path: Path) -> None:

    path = tmp_path / "0123456789ab.json"
    for damage in ANSWERS.values():
        path.write_text(
            '{"average_precision": {"camera_rule": [0.5]}, "rank1_correct": {"camera_rule": "1"}}'
        )
        assert read_query_results(path) is not None
        edited(path, damage)
        with pytest.raises(ValueError, match="0123456789ab.json are damaged: "):
            read_query_results(path)
