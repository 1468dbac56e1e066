"""Records are small, complete, and enough to draw from in a fresh clone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cdd.recipe import Recipe
from cdd.result import Epoch, Result
from experiments.schema.table import Table
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline
from reproduce.storage.query_results import read_identities, read_query_results
from reproduce.storage.results_folder import ResultsFolder
from reproduce.storage.run_record import columns, full_environment, note_source, read_records, write_record
from tests.reproduce.fakes import CODE, TEACHER, FakeTraining, a_student, a_teacher, accuracy, table

RECIPE = a_student("mini", 0)


def result(queries: int = 3, epochs: int = 2) -> Result:
    history = [
        Epoch(
            number=number,
            metrics={"loss/total": 1.23456789 / number, **({"camera_rule/mAP": 0.5} if number == 2 else {})},
        )
        for number in range(1, epochs + 1)
    ]
    return Result(
        run_id=RECIPE.run_id,
        metrics={"camera_rule/mAP": 1 / 3, "parameters": 12345678.0, "tiny": 1.23456789e-9},
        history=history,
        channels=[3, 1],
        average_precision={"camera_rule": [1 / 3 + place / 1e6 for place in range(queries)]},
        rank1_correct={"camera_rule": [place % 3 % 2 for place in range(queries)]},
        query_identities={"camera_rule": [place // 2 for place in range(queries)]},
    )


def test_a_record_comes_back_to_six_digits(tmp_path: Path) -> None:
    environment = {"device": "cpu", "threads": 2}
    path = write_record(tmp_path, RECIPE, result(), environment)
    assert path == tmp_path / "runs" / f"{RECIPE.run_id}.json"
    (found,) = read_records(tmp_path).values()
    assert found.metrics == {"camera_rule/mAP": 0.333333, "parameters": 12345700, "tiny": 1.23457e-9}
    assert found.history == {
        "epoch": [1, 2],
        "loss/total": [1.23457, 0.617284],
        "camera_rule/mAP": [None, 0.5],
    }
    assert found.channels == [3, 1]
    assert found.environment == environment
    assert Recipe.from_json(found.recipe) == RECIPE
    assert json.loads(path.read_text())["average_precision"] == {"camera_rule": [0.3333] * 3}


def test_writing_a_record_again_changes_no_byte(tmp_path: Path) -> None:
    first = write_record(tmp_path, RECIPE, result(), {}).read_bytes()
    assert write_record(tmp_path, RECIPE, result(), {}).read_bytes() == first
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{RECIPE.run_id}.json"]


def test_answers_beside_a_record_are_the_same_bytes_again(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECIPE, result(20_000), {}).with_suffix(".npz")
    first = path.read_bytes()
    write_record(tmp_path, RECIPE, result(20_000), {})
    assert path.read_bytes() == first


def test_what_queries_show_is_written_once_for_a_data_set_and_its_use(tmp_path: Path) -> None:
    environment = {"data_digest": "0123456789abcdef"}
    write_record(tmp_path, RECIPE, result(4), environment)
    found = read_identities(tmp_path, RECIPE.data, "0123456789abcdef")
    assert found is not None and found["camera_rule"].tolist() == [0, 0, 1, 1]
    (path,) = (tmp_path / "queries").iterdir()
    before = path.stat().st_mtime_ns
    write_record(tmp_path, RECIPE, result(4), environment)
    assert path.stat().st_mtime_ns == before
    assert read_identities(tmp_path, RECIPE.data, "another") is None
    tuning = RECIPE.data.model_copy(update={"use": "tuning"})
    assert read_identities(tmp_path, tuning, "0123456789abcdef") is None


def test_a_record_of_before_has_no_first_answers(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECIPE, result(), {})
    values = json.loads(path.read_text())
    del values["rank1_correct"]
    path.write_text(json.dumps(values))
    found = read_query_results(path)
    assert found is not None and not found.rank1_correct
    del values["average_precision"]
    path.write_text(json.dumps(values))
    assert read_query_results(path) is None


def test_damaged_answers_are_named(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECIPE, result(20_000), {"data_digest": "0"})
    whole = path.with_suffix(".npz").read_bytes()
    for content in (b"broken", whole[: len(whole) // 2]):
        path.with_suffix(".npz").write_bytes(content)
        with pytest.raises(ValueError, match=f"{path.name} are damaged"):
            read_query_results(path)
    (identities,) = (tmp_path / "queries").iterdir()
    identities.write_text("[")
    with pytest.raises(ValueError, match="is damaged"):
        read_identities(tmp_path, RECIPE.data, "0")


def test_a_record_has_one_line_per_part(tmp_path: Path) -> None:
    lines = write_record(tmp_path, RECIPE, result(), {}).read_text().splitlines()
    assert [line.split(":")[0] for line in lines[1:4]] == ['"run_id"', '"recipe"', '"metrics"']
    assert len(lines) == 10


@pytest.mark.parametrize("queries", [100, 20_000, 100_000])
def test_a_record_never_has_more_than_100_kilobytes_and_its_answers_are_never_lost(
    tmp_path: Path, queries: int
) -> None:
    made = result(queries, epochs=120)
    path = write_record(tmp_path, RECIPE, made, {})
    assert path.stat().st_size <= 100_000
    kept = "average_precision" in json.loads(path.read_text())
    assert kept == (queries == 100) == (not path.with_suffix(".npz").exists())
    found = read_query_results(path)
    assert found is not None
    assert found.average_precision["camera_rule"] == pytest.approx(
        made.average_precision["camera_rule"], abs=5e-5 if kept else 1e-7
    )
    assert found.rank1_correct["camera_rule"].tolist() == made.rank1_correct["camera_rule"]
    assert len(read_records(tmp_path)[RECIPE.run_id].history["epoch"]) == 120


def test_columns_are_as_long_as_the_history() -> None:
    found = columns(result(epochs=5).history)
    assert {len(values) for values in found.values()} == {5}
    assert columns([]) == {"epoch": []}


def test_a_folder_without_records_has_none(tmp_path: Path) -> None:
    assert read_records(tmp_path) == {}


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECIPE, result(), {})
    for content in (path.read_text()[:100], "[]", '{"run_id": "1"}'):
        path.write_text(content)
        with pytest.raises(ValueError, match=f"{path.name} is damaged"):
            read_records(tmp_path)


def test_the_environment_is_the_one_of_the_training_not_of_the_delivery(tmp_path: Path) -> None:
    note_source(tmp_path / "run", CODE)
    found = full_environment(
        tmp_path / "run", Result(**{**vars(result()), "environment": {"device": "cuda"}})
    )
    assert (found["git_commit"], found["git_dirty"], found["device"]) == (CODE.commit, False, "cuda")
    assert full_environment(tmp_path / "other", result()) == {}


def test_show_draws_from_records_alone(
    run: Callable[..., object],
    session: Callable[..., ArtifactPipeline],
    workspace: ResultsFolder,
    training: FakeTraining,
) -> None:
    run(seeds=[0, 3])
    for entry in workspace.results.iterdir():
        if entry.name != "mini":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.rmtree(workspace.results / "mini" / "tables")
    (drawn,) = session(seeds=None).show()
    numbers = drawn.sheet.numbers.set_index(["row", "column"])
    for label, recipe in (("Teacher", a_teacher), ("Student", a_student)):
        wanted = sum(accuracy(recipe("mini", seed)) for seed in (0, 3)) / 2
        assert numbers.loc[(label, "mAP"), "mean"] == pytest.approx(100 * wanted, rel=1e-5)
    assert "household at 16x16 (digest 0123456789ab)" in " ".join(drawn.sheet.notes)
    assert len(training.begun) == 4
    assert not (workspace.results / "mlflow.db").exists()


def test_show_draws_what_run_drew(
    run: Callable[..., list[object]], session: Callable[..., ArtifactPipeline], workspace: ResultsFolder
) -> None:
    run()
    first = {path.name: path.read_bytes() for path in (workspace.results / "mini" / "tables").iterdir()}
    session(seeds=None).show()
    assert {
        path.name: path.read_bytes() for path in (workspace.results / "mini" / "tables").iterdir()
    } == first


def test_show_without_seeds_takes_those_that_have_results(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline]
) -> None:
    run(seeds=[2, 5])
    (all_of_them,) = session(seeds=None).show()
    assert set(all_of_them.sheet.numbers["seeds"]) == {2}
    (one,) = session(seeds=[5]).show()
    assert set(one.sheet.numbers["seeds"]) == {1}
    (none,) = session(seeds=[7]).show()
    assert set(none.sheet.numbers["state"]) == {"not run"}


def test_show_without_seeds_leaves_out_those_that_lack_a_run(
    run: Callable[..., object],
    session: Callable[..., ArtifactPipeline],
    tables: dict[str, Table],
    training: FakeTraining,
) -> None:
    tables["half"] = table(TEACHER, name="half")
    session("half", seeds=[0, 1]).run(training)
    (half,) = session(seeds=None).show()
    assert set(half.sheet.numbers[half.sheet.numbers.row == "Teacher"].seeds) == {2}
    run(seeds=[1])
    (whole,) = session(seeds=None).show()
    assert set(whole.sheet.numbers.seeds) == {1}


def test_overridden_results_lie_apart(
    run: Callable[..., object], session: Callable[..., ArtifactPipeline], workspace: ResultsFolder
) -> None:
    run(changes=["optimiser.momentum=.5"])
    (folder,) = (workspace.results / "mini" / "overridden").iterdir()
    assert len(list((folder / "runs").iterdir())) == 2
    assert not (workspace.results / "mini" / "tables").exists()
    (drawn,) = session(seeds=None).show()
    assert set(drawn.sheet.numbers["state"]) == {"not run"}


def test_a_reused_run_without_a_record_gets_one(run: Callable[..., object], workspace: ResultsFolder) -> None:
    run()
    records = workspace.results / "mini" / "runs"
    before = {path.name: path.read_text() for path in records.iterdir()}
    shutil.rmtree(records)
    shutil.rmtree(workspace.checkpoints)
    run()
    assert {path.name: path.read_text() for path in records.iterdir()} == before
