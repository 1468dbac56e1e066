"""Everything in the file of a run is checked before anything is placed; what fails leaves nothing."""

import json
from pathlib import Path

import pytest

from cdd.recipe import Recipe
from reproduce.transfer.archive import MANIFEST, RECIPE
from tests.reproduce.archives import (
    STUDENT,
    TEACHER,
    Change,
    Members,
    a_snapshot,
    arrived,
    at,
    forged,
    refused,
    rewritten,
)


def test_a_whole_file_is_taken(whole: Path, tmp_path: Path) -> None:
    found = arrived(rewritten(whole, tmp_path / "copy.zip", lambda members: None), tmp_path)
    assert found.recipe == STUDENT
    assert found.environment["git_commit"] == "0" * 40
    assert found.copy == a_snapshot(3)


CURVE = "system/cpu_utilization_percentage"
TRACKING = [
    (at("started", value=2**62), "started"),
    (at("started", value=-1), "started"),
    (at("started", value=4_102_444_800_000), "started"),
    (at("ended", value="soon"), "ended"),
    (at("ended", value=True), "ended"),
    (at("name", value="\x1b[2J"), "name"),
    (at("experiment", value=""), "experiment"),
    (at("metrics", value=[]), "metrics"),
    (at("metrics", CURVE, value=[[2**62, 0, 1.0]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 2**62, 1.0]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 0, "1"]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 0]]), "metrics"),
    (at("metrics", CURVE, value=[[0, 0, 1.0], [0, 0, 1.0]]), "is there twice"),
    (at("metrics", "../../evil", value=[[0, 0, 1.0]]), "metrics"),
    (at("metrics", "a\x00b", value=[[0, 0, 1.0]]), "metrics"),
    (at("metrics", "epoch", value=[[1, 0, 1e300]]), "it is not 1 to 3"),
    (at("metrics", "deployed/camera_rule/mAP", value=[[3, 0, 1.0]]), "it is not what the result says"),
    (at("metrics", "deployed/other", value=[[3, 0, 1.0]]), "it is not what the result says"),
    (at("tags", value=["a"]), "tags"),
    (at("tags", "cdd.workplace", value=1), "tags"),
    (at("tags", "cdd.workplace", value="x" * 8001), "tags"),
    (at("tags", "cdd.superseded", value="yes"), "cdd.superseded is not carried"),
    (at("tags", "cdd.environment", value="{"), "cdd.environment is not carried"),
    (at("tags", "mlflow.parentRunId", value="0"), "mlflow.parentRunId is not carried"),
    (at("mood", value="good"), "mood"),
    (lambda values: [values], "an object"),
]
RESULT = [
    (at("metrics", value=[0.5]), "metrics"),
    (at("metrics", "camera_rule/mAP", value="0.5"), "metrics"),
    (at("metrics", "camera_rule/mAP", value=float("nan")), "metrics"),
    (at("metrics", "../evil", value=1.0), "is no plain name"),
    (at("history", value=[]), "has 0 epochs of 3"),
    (at("history", 1, "number", value=7), "not 1, 2, 3"),
    (at("history", 1, "metrics", value=None), "history.1.metrics"),
    (at("history", 0, "metrics", "loss/total", value=float("inf")), "history.0.metrics"),
    (at("channels", value=[1.5]), "channels"),
    (at("average_precision", "camera_rule", value=[2.0]), "average_precision"),
    (at("average_precision", "camera_rule", value=0.5), "average_precision"),
    (at("rank1_correct", "camera_rule", value=[1, 0]), "has 1 queries in average_precision and 2"),
    (at("query_identities", "camera_rule", value=[2**63]), "query_identities"),
    (at("environment", "data_digest", value="/../../evil"), "data_digest"),
    (at("environment", "data_digest", value=None), "data_digest"),
    (at("environment", "device", value={"a": 1}), "environment"),
    (at("environment", "device", value="cpu\ncuda"), "'device' is not one line"),
    (at("environment", "device", value="x" * 9000), "more than 8000"),
    (at("run_id", value="../../../evil"), "run_id"),
    (at("run_id", value=TEACHER.run_id), f"numbers are run {TEACHER.run_id}'s"),
    (lambda values: None, "an object"),
]
OTHERS = [
    ("source.json", lambda values: [1], "its source.json is damaged"),
    ("source.json", at("torch", value={"a": 1}), "its source.json is damaged"),
    (RECIPE, at("schedule", "epochs", value="many"), "its recipe.json"),
    (RECIPE, at("method", value={"method": "cdd.methods.nothing:Nothing"}), "its recipe.json"),
    (RECIPE, at("method", value=3), "its recipe.json"),
    (RECIPE, at("teacher", "seed", value=1), "but its recipe is that of run"),
    (RECIPE, lambda values: "recipe", "its recipe.json"),
    (MANIFEST, at("label", value="a\x1b[31m"), "its manifest cannot be read (label"),
    (MANIFEST, at("origin", "mlflow_id", value="a\nb"), "its manifest cannot be read (origin.mlflow_id"),
    (MANIFEST, at("published", value="mini/studies/../../.."), "its manifest cannot be read (published"),
]
FORGERIES = [("tracking.json", *case) for case in TRACKING] + [("result.json", *case) for case in RESULT]


@pytest.mark.parametrize(("name", "change", "part"), [*FORGERIES, *OTHERS])
def test_a_value_that_no_run_has_is_refused(
    whole: Path, tmp_path: Path, name: str, change: Change, part: str
) -> None:
    refused(rewritten(whole, tmp_path / "forged.zip", forged(name, change)), tmp_path, part)


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b", "..", "", "a b", "a\x00"])
def test_the_name_of_a_data_set_never_becomes_a_path(whole: Path, tmp_path: Path, name: str) -> None:
    values = at("data", "name", value=name)(STUDENT.to_json())
    try:
        run_id = Recipe.from_json(values).run_id
    except ValueError:
        run_id = STUDENT.run_id  # Recipes refuse it themselves.

    def change(members: Members) -> None:
        members[RECIPE] = json.dumps(values).encode()
        for member in (MANIFEST, "result.json"):
            members[member] = members[member].replace(STUDENT.run_id.encode(), run_id.encode())

    refused(rewritten(whole, tmp_path / "forged.zip", change), tmp_path, "its recipe.json")
