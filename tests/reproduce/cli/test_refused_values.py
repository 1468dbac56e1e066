"""A value without sense is refused by `plan` and by `run` alike, with code 2, and leaves nothing behind."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from cdd.architecture import Backbone, SmallNetwork, VisionTransformer
from cdd.contract import Fidelity, Settings
from cdd.method_keys import methods_by_key
from cdd.methods.capacity_dynamic import RetrievalGuided, WeightGuided
from cdd.methods.quest.quest import QuEST
from cdd.recipe import (
    Augmentation,
    Batch,
    Data,
    Objective,
    Optimiser,
    RandomBatch,
    Schedule,
)
from cdd.training.environment import select_device
from cdd.values import LARGEST_SEED
from reproduce.cli.options import LARGEST_IMAGE, LARGEST_WIDTH, seeds_of, size_of
from reproduce.errors import UsageError
from reproduce.planning.overrides import parse
from tests.reproduce.said import Said
from tests.small import student_recipe

SMALL = SmallNetwork(family="resnet", depth=20)
SETTINGS: tuple[Settings, ...] = (
    *(
        Data(name="household"),
        Objective(),
        Batch(),
        RandomBatch(size=8),
        Schedule(),
        Optimiser(),
        Augmentation(),
    ),
    *(Backbone(block="basic", blocks=(1, 1, 1, 1)), VisionTransformer(), SMALL, Fidelity()),
    *(RetrievalGuided(), WeightGuided(), *(kind() for kind in methods_by_key().values())),
    student_recipe(),
)


def numbers() -> Iterator[Any]:
    """Every field that holds a number, or several."""
    for settings in SETTINGS:
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            first = value[0] if isinstance(value, tuple) and value else value
            if isinstance(first, int | float) and not isinstance(first, bool):
                yield pytest.param(settings, name, id=f"{type(settings).__name__}.{name}")


# A law, so that a new field cannot forget to be strict.
@pytest.mark.parametrize(("settings", "name"), list(numbers()))
@pytest.mark.parametrize("wrong", [True, "1", float("nan"), float("inf"), -1, 1e300, 10**400], ids=str)
def test_no_number_takes_what_is_none_or_what_no_machine_has(
    settings: Settings, name: str, wrong: object
) -> None:
    value = getattr(settings, name)
    given = (wrong,) * len(value) if isinstance(value, tuple) else wrong
    fields = {each: getattr(settings, each) for each in type(settings).model_fields}
    with pytest.raises(ValidationError, match=name):
        type(settings).model_validate({**fields, name: given})


@pytest.mark.parametrize("name", ["../up", "/root", "a/b", "a b", "", "a" * 65, "é", "a\n", ".", "٣"])
def test_a_data_set_has_no_name_that_could_be_a_path(name: str) -> None:
    with pytest.raises(ValidationError, match="letters, digits, dashes and underscores"):
        Data(name=name)


def test_a_vocabulary_is_no_larger_than_its_sample() -> None:
    with pytest.raises(ValidationError, match="sample more"):
        QuEST(words=100, sampled=99)


REFUSED = [
    ("batch.identities=true", "identities was given True"),
    ("compactors=1", "compactors was given 1"),
    ("augmentation.erasing_area=0.4,0.02", "smaller number first"),
    ("augmentation.erasing_aspect=3.33,0.3", "smaller number first"),
    ("schedule.peak_learning_rate=NaN", "finite number"),
    ("schedule.epochs=1e999", "valid integer"),
    (f"schedule.epochs={10**30}", "at most|less than or equal"),
    (f"schedule.epochs={'9' * 5000}", "valid integer"),
    ("schedule.final_learning_rate=1", "make the final one no larger"),
    ("data.name=../x", "letters, digits, dashes"),
    ("data.name=nothing", "unknown data set 'nothing'"),
    ("data.use=sideways", "use was given 'sideways'"),
    ("batch.identities=5000", "lower batch.identities"),
    ("method.resetting.queue=7", "no multiple of the batch size"),
    ("method.resetting.neighbours=99999", "make it longer"),
    ("initialisation=imagenet", "no ImageNet weights for this backbone"),
    ("compactors=false", "CDD needs a student of bottleneck blocks with compactors"),
    ("student.planes=5,5,5,5", "both networks need the same width"),
    ("data=" + "[" * 9000, "fields of a Data"),
    ("teacher=null", "distils from a teacher"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[change[:40] for change, _ in REFUSED])
def test_plan_refuses_what_run_refuses(change: str, message: str, tmp_path: Path) -> None:
    said = [
        Said(*words, "--set", change, "--results", str(tmp_path / "new"))
        for words in (["plan", "table1"], ["table1"])
    ]
    assert [each.code for each in said] == [2, 2]
    assert said[0].err == said[1].err
    assert len(said[0].err) < 1000
    assert pytest.raises(UsageError, match=message).matches(UsageError(said[0].err))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "device", ["cuda:7", "cpu:1", "tpu", "", "cuda:x", "cuda:-1", "cuda:1:2", "CPU", "mps:3", "auto:0"]
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_device_that_does_not_exist_is_a_usage_error(verb: str, device: str, tmp_path: Path) -> None:
    said = Said(verb, "table1", f"--device={device}", "--results", str(tmp_path / "new"))
    assert said.code == 2
    assert "is not available: choose auto or one of cpu" in said.err
    assert list(tmp_path.iterdir()) == []


def test_devices_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert select_device("auto") == torch.device("cuda")
    assert select_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=r"one of cpu, cuda:0\.\.1"):
        select_device("cuda:2")


@pytest.mark.parametrize("text", ["1_0", "+1", "٣", str(2**63), str(2**64), "9" * 5000, "0x1", "1e3", "²"])
def test_a_seed_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(UsageError, match="expected different whole numbers from 0 to 9223372036854775807"):
        seeds_of(text)


@pytest.mark.parametrize("text", ["²x3", "1x2x3", "x", "0x1", "1_0x5", "99999x1", "-1x1", "256", "", "axb"])
def test_an_image_size_is_two_numbers_of_pixels(text: str) -> None:
    with pytest.raises(UsageError, match="expected HEIGHTxWIDTH"):
        size_of(text)


def test_the_command_line_has_the_limits_of_recipes() -> None:
    assert student_recipe(seed=LARGEST_SEED).seed == LARGEST_SEED
    assert seeds_of(f"0, {LARGEST_SEED}") == [0, LARGEST_SEED]
    Data(name="household", height=LARGEST_IMAGE)
    Backbone(block="basic", blocks=(1, 1, 1, 1), embedding=LARGEST_WIDTH)
    for height, width in ((LARGEST_IMAGE + 1, 1), (1, LARGEST_IMAGE + 1)):
        with pytest.raises(ValidationError):
            Data(name="household", height=height, width=width)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "table1"],
        ["table1"],
        ["show", "table1"],
        ["claims"],
        ["report"],
        ["gallery", "0123"],
        ["export-run", "0123"],
        ["study", "alpha"],
        ["doctor"],
        ["ui"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("below", ["", "results"])
def test_results_that_are_a_file_are_a_usage_error_in_every_verb(
    words: list[str], below: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    said = Said(*words, "--results", str(tmp_path / "file" / below))
    assert said.code == 2
    assert "is a file): name another with --results" in said.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_a_text_without_end_is_cut_off() -> None:
    with pytest.raises(UsageError, match="characters are more than"):
        parse(["data.name=" + "a" * 20_000])


MISSING: list[tuple[Callable[[Path], list[str]], str]] = [
    (lambda folder: [], "say where the folder of the data sets is with --data-root DIR"),
    (lambda folder: ["--data-root", str(folder / "nowhere")], "there is no such folder"),
    (lambda folder: ["--data-root", str(folder)], "In-Shop is not at"),
    (
        lambda folder: ["--data-root", str(folder), "--weights", str(folder / "no.pth")],
        "no such file or folder",
    ),
    (lambda folder: ["--data-root", str(folder), "--weights", str(folder)], "expected torchvision's file"),
]


@pytest.mark.parametrize(("options", "message"), MISSING)
@pytest.mark.parametrize("verb", ["table1", "study"])
def test_what_the_papers_scale_lacks_is_said_once_and_before_anything_is_written(
    verb: str, options: Callable[[Path], list[str]], message: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    given = options(tmp_path / "data")
    if verb == "study" and "--weights" in given:
        pytest.skip("a study has no such option")
    words = [*(["study", "alpha"] if verb == "study" else [verb]), "--scale", "paper", *given]
    said = Said(*words, "--results", str(tmp_path / "results"))
    assert said.code == 2
    assert pytest.raises(UsageError, match=message).matches(UsageError(said.err))
    assert len(said.err.splitlines()) < 8
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]


def test_plan_says_what_a_run_would_have_to_be_given(tmp_path: Path) -> None:
    words = ["plan", "table1", "--scale", "paper", "--results", str(tmp_path / "new"), "--format", "json"]
    remarks = " ".join(Said(*words).json["remarks"])
    assert "needs --data-root DIR, as in-shop and veri776 do not ship with this package" in remarks
    assert "ImageNet weights of resnet101 are downloaded, unless --weights PATH" in remarks
    assert Said(*words, "--data-root", str(tmp_path)).code == 2
    assert (
        Said("plan", "table1", "--results", str(tmp_path / "new"), "--format", "json").json["remarks"] == []
    )
