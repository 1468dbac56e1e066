"""The command that makes the weights that are shipped."""

import hashlib
import io
import json
import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from cdd.architecture import VisionTransformer
from cdd.errors import DataError, DataMissingError
from cdd.evaluation.cost import cost
from cdd.models.tiny_imagenet import cards, tiny_imagenet_weights
from cdd.recipe import Augmentation
from tests.small import BACKBONE
from tools.pretrain import __main__ as command
from tools.pretrain.export import write_weights
from tools.pretrain.images import images
from tools.pretrain.networks import NETWORKS, pretraining
from tools.pretrain.training import ClassTraining

SIZE = 8
COLOURS = {"a": (255, 40, 40), "b": (40, 255, 40), "c": (40, 40, 255)}
TRANSFORMER = VisionTransformer(image=SIZE, patch=4, layers=1, heads=2, width=8, hidden=16, embedding=8)


def write_archive(path: Path, colours: dict[str, tuple[int, int, int]] = COLOURS, training: int = 24) -> Path:
    """Classes of one noisy colour each, 16x16 pixels."""
    noise = np.random.default_rng(0)
    with tarfile.open(path, "w:xz") as archive:
        for part, count in (("train", training), ("val", 4)):
            for name, colour in colours.items():
                for number in range(count):
                    pixels = noise.integers(-40, 40, (16, 16, 3)) + colour
                    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
                    content = io.BytesIO()
                    image.save(content, "PNG")
                    info = tarfile.TarInfo(f"{part}/{name}/{number}.png")
                    info.size = len(content.getvalue())
                    archive.addfile(info, io.BytesIO(content.getvalue()))
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "colours.tar.xz")


@pytest.fixture
def options(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "NETWORKS", {"tiny": BACKBONE})
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return ["tiny", f"--data={archive}", f"--output={tmp_path}", f"--size={SIZE}", "--epochs=3"]


def small_training(network, archive, folder, epochs=4, seed=0):
    folder.mkdir(exist_ok=True)
    recipe = pretraining(network, epochs, seed).model_copy(
        update={"batch": 16, "augmentation": Augmentation(padding=1, erasing=0)}
    )
    return ClassTraining(network, recipe, images(archive, SIZE, folder.parent), folder)


def test_an_archive_is_decoded_once_and_keeps_its_classes_in_order(archive, tmp_path):
    first = images(archive, SIZE, tmp_path)
    assert first.names == ["a", "b", "c"]
    assert first.training.pixels.shape == (72, 3, SIZE, SIZE)
    assert (first.training.pixels[first.training.classes == 1].mean(axis=(0, 2, 3)).argmax()) == 1
    again = images(tmp_path / archive.name, SIZE, tmp_path)  # where there is no archive
    np.testing.assert_array_equal(again.validation.pixels, first.validation.pixels)


def test_a_smaller_image_is_the_mean_of_what_falls_together(tmp_path, archive):
    fine, coarse = (images(archive, size, tmp_path).validation.pixels.astype(float) for size in (16, 8))
    np.testing.assert_allclose(fine.reshape(-1, 3, 8, 2, 8, 2).mean(axis=(3, 5)), coarse, atol=1)


def test_what_is_no_archive_of_classes_is_refused(tmp_path):
    with pytest.raises(DataMissingError, match="no such file"):
        images(tmp_path / "none.tar.xz", SIZE, tmp_path)
    with pytest.raises(DataError, match="has 0 images below train/"):
        images(write_archive(tmp_path / "empty.tar.xz", {}), SIZE, tmp_path)


@pytest.mark.parametrize("network", [BACKBONE, TRANSFORMER], ids=["resnet", "transformer"])
def test_an_interrupted_training_ends_as_one_that_was_not(network, archive, tmp_path):
    whole = small_training(network, archive, tmp_path / "whole")
    losses = [epoch.loss for epoch in whole.epochs()]
    list(islice(small_training(network, archive, tmp_path / "parts").epochs(), 2))
    resumed = small_training(network, archive, tmp_path / "parts")
    assert [epoch.number for epoch in resumed.epochs()] == [3, 4]
    assert [epoch.loss for epoch in resumed.history] == losses
    for name, value in whole.classifier.state_dict().items():
        assert torch.equal(resumed.classifier.state_dict()[name], value), name


def test_it_learns_to_tell_colours_apart(archive, tmp_path):
    *_, last = small_training(BACKBONE, archive, tmp_path, epochs=6).epochs()
    assert last.top1_percent == 100


def test_seeds_differ(archive, tmp_path):
    found = []
    for seed in (0, 1):
        training = small_training(BACKBONE, archive, tmp_path / str(seed), epochs=1, seed=seed)
        found.append([epoch.loss for epoch in training.epochs()])
    assert found[0] != found[1]


def test_the_command_writes_weights_that_a_student_can_start_from(options, tmp_path, capsys):
    assert command.main(options) == 0
    printed = capsys.readouterr().out
    assert printed.count("epoch ") == 3
    content = (tmp_path / "tiny" / "tiny.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() in printed
    weights = tiny_imagenet_weights(BACKBONE, tmp_path / "tiny")
    assert all(torch.equal(value.half().float(), value) for value in weights.values() if value.ndim)
    facts = cards(tmp_path / "tiny")["tiny"].facts
    assert facts["epochs"] == 3 and facts["classes"] == 3 and facts["data"] == "colours at 8x8"
    assert command.main(options) == 0  # finished: the same file again
    assert (tmp_path / "tiny" / "tiny.safetensors").read_bytes() == content


def test_the_files_own_metadata_tell_what_it_is(options, tmp_path):

    command.main(options)
    with safe_open(tmp_path / "tiny" / "tiny.safetensors", "pt") as file:
        metadata = json.loads(file.metadata()["card"])
    assert metadata["network"] == BACKBONE.model_dump(mode="json")
    assert metadata["recipe"]["schedule"]["epochs"] == 3


def test_a_folder_with_another_training_is_not_gone_on_with(options, capsys):
    assert command.main(options) == 0
    assert command.main([*options, "--seed=1"]) == command.CANNOT_START
    assert "by another recipe" in " ".join(capsys.readouterr().out.split())


def test_numbers_beyond_float16_are_not_written(tmp_path):

    layer = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(layer.weight, 1e6)
    with pytest.raises(OverflowError, match="weight has numbers"):
        write_weights(layer, {}, tmp_path, "layer")
    assert not list(tmp_path.iterdir())


def test_the_networks_stand_to_each_other_as_the_papers():

    heavy, medium, light = (
        cost(NETWORKS[f"mini-{size}"], 32, 32, identities=300) for size in ("heavy", "medium", "light")
    )
    assert medium.parameters / heavy.parameters == pytest.approx(0.56, abs=0.01)
    assert medium.multiply_adds / heavy.multiply_adds == pytest.approx(0.63, abs=0.01)
    assert light.parameters / heavy.parameters == pytest.approx(0.50, abs=0.01)
    assert light.multiply_adds / heavy.multiply_adds == pytest.approx(0.56, abs=0.035)
