"""What a run says of damaged files, and of a loss that is no number."""

from pathlib import Path

import pytest
import torch

import cdd.run
from cdd.errors import DataError, DivergenceError
from cdd.models.network import RetrievalNetwork
from cdd.result import Epoch, Result, load_result
from cdd.run import run
from cdd.training.environment import Machine
from tests.small import BACKBONE, SCHEDULE, small_dataset, student_recipe, teacher_recipe

CPU = Machine(device="cpu")


@pytest.fixture(autouse=True)
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdd.run, "load", lambda data, data_root=None: small_dataset(16, 16))


def complete(folder: Path, weights: dict[str, Path]) -> Result:
    return run(student_recipe(), folder, weights=weights, machine=CPU)


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "it is empty"), (b"<html>", "a web page"), (b"PK\x03\x04", "damaged or cut off")],
)
def test_damaged_weights_of_a_teacher_name_the_file_and_its_run(
    tmp_path: Path, content: bytes, part: str
) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(DataError) as found:
        complete(tmp_path / "run", {teacher_recipe().run_id: path})
    for words in (f"the weights of run {teacher_recipe().run_id} in {path}", part, "Delete that file"):
        assert words in str(found.value)


def test_weights_that_hold_nan_are_named_before_the_first_step(tmp_path: Path) -> None:
    state = RetrievalNetwork(BACKBONE, 8).state_dict()
    state["classifier.weight"][0, 0] = float("nan")
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(
        DataError, match=r"weights\.pt cannot be used: values in classifier\.weight are no num"
    ):
        complete(tmp_path / "run", {teacher_recipe().run_id: tmp_path / "weights.pt"})


@pytest.mark.parametrize(
    ("precision", "rate", "advice"),
    [
        ("float32", 1e12, "It is trained in float32 already: lower schedule.peak_learning_rate."),
        ("bfloat16", 1e12, "or train with precision=float32 (it is bfloat16 now)"),
        ("float32", 0.05, "This is the first step, so that the learning rate is not the cause"),
    ],
)
def test_the_advice_after_a_divergence_fits_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, rate: float, advice: str
) -> None:
    if rate < 1:
        nothing = torch.tensor(float("nan"))
        monkeypatch.setattr(
            "cdd.training.trainer.identity_loss", lambda logits, *rest: logits.sum() * nothing
        )
    schedule = SCHEDULE.model_copy(update={"peak_learning_rate": rate})
    with pytest.raises(DivergenceError) as found:
        run(teacher_recipe(schedule=schedule, precision=precision), tmp_path, weights={}, machine=CPU)
    assert advice in str(found.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "Invalid JSON"),
        ('{"run_id": 1}', "run_id"),
        ('{"run_id": "0123456789ab", "metrics": [], "history": [], "channels": null}', "metrics"),
    ],
)
def test_a_damaged_result_names_the_folder_to_delete(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(
        DataError, match=r"result\.json is damaged: .*Delete the folder .*, and no other"
    ) as found:
        complete(tmp_path, {})
    assert part in str(found.value)


def test_a_figure_that_is_no_number_was_not_measured(tmp_path: Path) -> None:
    history = [Epoch(number=1, metrics={"loss": 1.5, "share": float("nan")})]
    result = Result(run_id="0123456789ab", metrics={"mAP": 0.5}, history=history, channels=None)
    result.save(tmp_path)
    found = load_result(tmp_path)
    assert found is not None
    assert found.history == [Epoch(number=1, metrics={"loss": 1.5})]
