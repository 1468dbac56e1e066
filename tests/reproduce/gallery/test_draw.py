"""The command that draws what a run finds: its files, where the run comes from, and what is refused."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cdd.data.embedded import EMBEDDED
from cdd.models.deployed import Embedder
from experiments.registry import Summary
from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.pipeline.drawer import RenderedArtifact
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking.finished_runs import FinishedRuns
from reproduce.tracking.run_ids import only_run
from reproduce.tracking.store import Store
from tests.reproduce.fakes import CODE, FakeTraining, a_student, a_teacher
from tests.reproduce.said import Said
from tests.small import DATA, small_dataset

STUDENT, TEACHER = a_student("mini", 0), a_teacher("mini", 0)
SUFFIXES = (".pdf", ".png", ".svg", ".csv", ".md")


@pytest.fixture
def trained(
    run: Callable[..., list[RenderedArtifact]],
    results: Path,
    tables: dict[str, Table],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A results folder with a teacher and a student that have finished, on the small data set."""
    monkeypatch.setitem(EMBEDDED, "household", small_dataset)
    monkeypatch.setattr("experiments.registry.summaries", lambda: [Summary(name, "", "") for name in tables])
    run()
    return results


def gallery(results: Path, *words: str, run: str = STUDENT.run_id) -> Said:
    return Said("gallery", run, "--results", str(results), "--device", "cpu", *words)


def drawn(results: Path, *words: str, run: str = STUDENT.run_id) -> dict[Path, bytes]:
    """The files of a small gallery, with their content."""
    small = ("--queries", "2", "--top", "3", "--format", "json")
    files = gallery(results, *small, *words, run=run).json["files"]
    return {Path(name): Path(name).read_bytes() for name in files}


def test_a_command_draws_a_finished_run_beside_the_figures_of_its_scale(trained: Path) -> None:
    found = gallery(trained, "--queries", "3", "--top", "4", "--format", "json").json
    paths = [Path(name) for name in found["files"]]
    assert {path.parent for path in paths} == {trained.resolve() / "mini" / "figures"}
    name = f"gallery-{STUDENT.run_id}"
    assert [path.name for path in paths] == [f"{name}{suffix}" for suffix in SUFFIXES]
    assert [cell["rank"] for cell in found["cells"]] == [0, 1, 2, 3, 4] * 3
    assert found["cells"][0]["similarity"] is None
    lines = pd.read_csv(next(path for path in paths if path.suffix == ".csv"))
    assert lines.columns.tolist() == ["row", "rank", "image", "identity", "camera", "similarity", "verdict"]
    assert len(lines) == 15


def test_the_caption_says_what_is_shown_and_how_it_was_chosen(trained: Path) -> None:
    said = gallery(trained, "--seed", "3")
    assert said.code == 0, said.err
    text = (trained / "mini" / "figures" / f"gallery-{STUDENT.run_id}.md").read_text()
    recorded = json.loads((trained / "mini" / "runs" / f"{STUDENT.run_id}.json").read_text())["metrics"]
    for part in (
        f"# Retrieval results of Student, run {STUDENT.run_id}: mini scale, household at 16x16",
        f"(gallery-{STUDENT.run_id}.png)",
        "Student (method CapacityDynamic), seed 0. Scale mini",
        "household at 16x16, test identities (digest small). The run was evaluated on other data",
        "Protocol camera_rule: 48 queries against 48 gallery images; images of the query's identity from",
        "8 of the 48 that have a match in the gallery, sampled evenly at random with seed 3",
        f"{100 * recorded['camera_rule/mAP']:.2f} % as recorded",
        "Solid green frame and \u2713",
        "dashed orange frame and \u00d7",
    ):
        assert part in text
    assert "right among the first 10" in said.out


def test_the_same_command_gives_the_same_bytes_and_a_prefix_is_enough(trained: Path) -> None:
    before = drawn(trained)
    assert drawn(trained) == before
    assert drawn(trained, run=STUDENT.run_id[:6].upper()) == before


def test_another_choice_of_queries_or_protocol_does_not_overwrite_the_usual_one(trained: Path) -> None:
    stems = {
        path.stem
        for words in ([], ["--worst"], ["--protocol", "cross_camera"], ["--protocol", "camera_rule"])
        for path in drawn(trained, *words)
    }
    usual = f"gallery-{STUDENT.run_id}"
    assert stems == {usual, f"{usual}-worst", f"{usual}-cross_camera"}
    text = (trained / "mini" / "figures" / f"{usual}-cross_camera.md").read_text()
    assert "16 queries of camera 0 against 32 gallery images of cameras 1, 2; nothing is left out" in text
    assert "not recorded" in text
    assert "lowest average precision" in (trained / "mini" / "figures" / f"{usual}-worst.md").read_text()


def test_the_network_comes_from_the_store_where_its_folder_is_gone(trained: Path) -> None:
    before = drawn(trained)
    shutil.rmtree(trained / "checkpoints")
    assert drawn(trained) == before


def test_the_store_alone_is_enough(trained: Path) -> None:
    before = drawn(trained)
    shutil.rmtree(trained / "checkpoints")
    shutil.rmtree(trained / "mini")
    assert drawn(trained) == before
    assert list(trained.glob("checkpoints/*")) == []


def test_folder_and_record_alone_are_enough(trained: Path) -> None:
    before = drawn(trained)
    (trained / "mlflow.db").unlink()
    assert drawn(trained) == before
    assert not (trained / "mlflow.db").exists()


@pytest.mark.parametrize("with_record", [True, False])
def test_a_run_with_overrides_is_drawn_in_their_folder(
    trained: Path, session: Callable[..., ArtifactPipeline], training: FakeTraining, with_record: bool
) -> None:
    changed = session(changes=["schedule.epochs=4"])
    changed.run(training)
    own = changed.drawer.folder
    (path,) = [p for p in (own / "runs").glob("*.json") if json.loads(p.read_text())["recipe"]["teacher"]]
    if not with_record:
        shutil.rmtree(own)
    found = drawn(trained, run=path.stem)
    assert {path.parent for path in found} == {own / "figures"}
    text = (own / "figures" / f"gallery-{path.stem}.md").read_text()
    assert "Retrieval results of CapacityDynamic" in text


def test_a_run_of_a_study_is_drawn_in_its_folder_and_one_of_nobody_in_the_results(
    trained: Path, store: Store
) -> None:
    shutil.rmtree(trained / "mini")
    (stored,) = store.trainings()[STUDENT.run_id]
    store.client.set_tag(stored.tags["mlflow.parentRunId"], "cdd.study", "p-of-something")
    folder = trained.resolve() / "mini" / "studies" / "p-of-something" / "figures"
    assert {path.parent for path in drawn(trained)} == {folder}
    store.client.delete_tag(stored.mlflow_id, "mlflow.parentRunId")
    assert {path.parent for path in drawn(trained)} == {trained.resolve() / "figures"}


def refused(said: Said, *parts: str, code: int = 2) -> None:
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err


def test_an_unknown_run_is_a_usage_error_with_the_nearest(trained: Path) -> None:
    wrong = STUDENT.run_id[:-1] + ("0" if STUDENT.run_id[-1] != "0" else "1")
    nearest = f"Nearest: {STUDENT.run_id}"
    refused(gallery(trained, run=wrong), f"no run '{wrong}'", "12 hexadecimal digits", nearest)
    assert not (trained / "mini" / "figures").exists()


def test_a_prefix_of_several_runs_is_a_usage_error_that_names_them(tmp_path: Path) -> None:
    known = [f"ab{number}" + "0" * 9 for number in range(7)]
    assert only_run("ab3", known, tmp_path) == known[3]
    with pytest.raises(ValueError, match=re.escape("7 runs begin with 'ab': ab0000000000, ab1")):
        only_run("ab", known, tmp_path)
    with pytest.raises(ValueError, match=r"Nearest: ab0.*, \.\.\.\. `python"):
        only_run("zz", known, tmp_path)


def test_results_without_any_run_say_how_to_get_one(tmp_path: Path) -> None:
    refused(gallery(tmp_path), "has any run", "python -m reproduce table1", "--results")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_not_finished_is_a_usage_error(
    trained: Path, session: Callable[..., ArtifactPipeline], training: FakeTraining
) -> None:
    def stop(recipe: Any, number: int) -> None:
        if recipe.teacher is None and number == 3:
            raise RuntimeError("the power went out")

    training.before_epoch = stop
    session(seeds=[1]).run(training)
    run_id = a_teacher("mini", 1).run_id
    parts = (f"run {run_id}", "has not finished: the store has 2 epochs of it, state FAILED", "again")
    refused(gallery(trained, run=run_id), *parts)
    # Of a run that is trained anew the record is still the old one.
    records = trained / "mini" / "runs"
    old = (records / f"{TEACHER.run_id}.json").read_text()
    (records / f"{run_id}.json").write_text(old.replace(TEACHER.run_id, run_id))
    refused(gallery(trained, run=run_id), *parts)


def test_a_record_without_a_network_is_a_usage_error_that_says_what_trains_it(trained: Path) -> None:
    shutil.rmtree(trained / "checkpoints")
    (trained / "mlflow.db").unlink()
    refused(gallery(trained), f"only the numbers of run {STUDENT.run_id}", "deployed.pt", "shows it (tiny)")


@pytest.mark.parametrize("content", [b"", b"no network"])
def test_a_damaged_network_ends_with_one_message(trained: Path, content: bytes) -> None:
    (trained / "checkpoints" / STUDENT.run_id / "deployed.pt").write_bytes(content)
    refused(gallery(trained), "deployed.pt cannot be read", "Delete the file", code=1)


def test_a_recipe_of_another_version_ends_with_one_message(trained: Path) -> None:
    path = trained / "mini" / "runs" / f"{STUDENT.run_id}.json"
    path.write_text(path.read_text().replace('"compactors"', '"squeezers"'))
    refused(gallery(trained), f"the stored recipe of run {STUDENT.run_id}", "this version", code=1)


def test_an_unknown_protocol_or_device_is_a_usage_error(trained: Path) -> None:
    refused(gallery(trained, "--protocol", "strict"), "--protocol strict", "camera_rule, cross_camera")
    refused(gallery(trained, "--device", "tpu"), "--device tpu", "choose auto or one of cpu")
    refused(gallery(trained, "--queries", "0"))
    refused(gallery(trained, "--top", "21"))


def test_a_run_on_real_data_needs_their_folder(trained: Path, tmp_path: Path) -> None:
    path = trained / "mini" / "runs" / f"{STUDENT.run_id}.json"
    path.write_text(path.read_text().replace(f'"{DATA.name}"', '"veri776"'))
    refused(gallery(trained), "was evaluated on veri776", "--data-root DIR")
    refused(gallery(trained, "--data-root", str(tmp_path / "no")), "--data-root", "no such folder")


def test_a_full_id_with_its_folder_never_opens_the_store(trained: Path, workspace: ResultsFolder) -> None:
    (trained / "mlflow.db").write_text("no database")
    runs = FinishedRuns(workspace, CODE)
    assert isinstance(runs.network(runs.find(STUDENT.run_id)), Embedder)
    refused(gallery(trained, run=STUDENT.run_id[:4]), "mlflow.db", code=1)
