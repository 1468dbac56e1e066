"""`--scale paper` on small copies of the real data sets: from files on disk to the table."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reproduce.cli.app import app
from reproduce.storage.run_record import read_records
from tests.data.real_trees import (
    in_shop_fast_reid,
    in_shop_flat,
    in_shop_official,
    veri_flat,
    veri_official,
    veri_without_lists,
)

SHORTENED = [
    "data.height=16",
    "data.width=12",
    "initialisation=random",
    "batch.identities=8",
    "batch.images=3",
    "schedule.epochs=2",
    *(
        f"{role}student.{change}"
        for role in ("", "teacher.")
        for change in ("planes=4,4,8,8", "blocks=1,1,1,1", "stem=small", "embedding=8")
    ),
    "method.resetting.queue=48",
    "method.resetting.after_epoch=1",
]
RUNS = 8
"""Teacher and three students on two data sets."""


def invoke(*words: str, results: Path) -> tuple[str, str]:
    """What was printed, and what was logged."""
    changes = [word for change in SHORTENED for word in ("--set", change)]
    arguments = [*words, "--scale", "paper", "--results", str(results), "--device", "cpu", *changes]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("without_model")
@pytest.mark.parametrize(
    ("veri", "in_shop"),
    [(veri_official, in_shop_official), (veri_without_lists, in_shop_fast_reid), (veri_flat, in_shop_flat)],
)
def test_table_1_from_files_on_disk(
    veri: Callable[[Path], Path],
    in_shop: Callable[[Path], Path],
    tmp_path: Path,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for write in (veri, in_shop):
        write(tmp_path / "data")
    printed, logged = invoke("table1", "--data-root", str(tmp_path / "data"), results=results)
    assert "not run" not in printed
    assert logged.count("veri776: 144 images, layout") == logged.count("in-shop: 144 images, layout") == 4
    (folder,) = (results / "paper" / "overridden").iterdir()
    records = read_records(folder)
    assert len(records) == RUNS
    for record in records.values():
        environment = record.environment
        name = record.recipe["data"]["name"]
        remarks = environment["data_remarks"]
        assert environment["data_layout"] and isinstance(remarks, list)
        assert any("published are" in str(remark) for remark in remarks)
        assert ("cross_camera/rank50" in record.metrics) == (name == "in-shop")
        assert ("camera_rule/rank5" in record.metrics) == (name == "veri776")
    plan = json.loads(invoke("plan", "table1", "--format", "json", results=results)[0])
    assert {item["state"] for item in plan["runs"]} == {"reuse"}


@pytest.mark.slow
@pytest.mark.usefixtures("without_model")
def test_an_unreadable_image_fails_its_own_runs_and_no_others(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    in_shop_flat(tmp_path)
    damaged = sorted((veri_flat(tmp_path) / "train").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:300])
    changes = [word for change in SHORTENED for word in ("--set", change)]
    arguments = ["table1", "--scale", "paper", "--results", str(results), "--data-root", str(tmp_path)]
    done = CliRunner().invoke(app, [*arguments, "--device", "cpu", *changes], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert f"{damaged.name} cannot be read" in done.output
    assert "data verify veri776" in done.output
    assert done.stderr.count(": finished") == 4
    assert "not run" in done.stdout


def test_a_missing_data_set_is_one_message_before_the_first_run(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    arguments = ["table1", "--scale", "paper", "--results", str(results), "--device", "cpu"]
    done = CliRunner().invoke(app, [*arguments, "--data-root", str(tmp_path)], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "VeRi-776 is not at" in done.output
    assert "https://" in done.output
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "--data-root DIR" in done.output


def test_the_plan_of_the_papers_scale_names_every_training_once(results: Path) -> None:
    arguments = ["plan", "table1", "--scale", "paper", "--results", str(results), "--format", "json"]
    plan = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert len({item["run_id"] for item in plan["runs"]}) == len(plan["runs"]) == RUNS
    student = plan["runs"][-1]
    assert student["least_memory_bytes"] > 1e9  # the galleries of 33 blocks alone are 0.78 GB
    assert student["training_disk_bytes"] > 3 * 0.78e9
