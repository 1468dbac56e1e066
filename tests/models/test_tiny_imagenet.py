"""Weights that come with the package: the file that its card tells of, for the network that it fits."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from cdd.architecture import Network, SmallNetwork, VisionTransformer
from cdd.errors import DataError
from cdd.models import tiny_imagenet
from cdd.models.network import build_backbone
from cdd.models.tiny_imagenet import SHIPPED, cards, tiny_imagenet_weights
from cdd.recipe import Recipe
from cdd.training.networks import build_student
from tests.small import BACKBONE, student_recipe, teacher_recipe

TRANSFORMER = VisionTransformer(image=16, patch=8, layers=1, heads=2, width=8, hidden=16, embedding=8)


def ship(folder: Path, name: str, network: Network) -> Path:
    """Writes a backbone with random weights and its card."""
    torch.manual_seed(len(name))
    state = build_backbone(network).state_dict()
    content = save(
        {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    )
    path = folder / f"{name}.safetensors"
    path.write_bytes(content)
    card = {"network": network.model_dump(mode="json"), "sha256": hashlib.sha256(content).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights that stands for the package's own."""
    ship(tmp_path, "tiny", BACKBONE)
    ship(tmp_path, "transformer", TRANSFORMER)
    monkeypatch.setattr(tiny_imagenet, "SHIPPED", tmp_path)
    return tmp_path


@pytest.mark.parametrize("compactors", [False, True])
def test_a_student_starts_from_the_file_whatever_its_seed_and_its_neck(shipped, compactors):
    student = BACKBONE.model_copy(update={"embedding": 6})
    recipe = student_recipe(student=student, initialisation="tiny-imagenet", compactors=compactors, seed=3)
    found = build_student(recipe, 5, {}).backbone.state_dict()
    for name, value in tiny_imagenet_weights(BACKBONE).items():
        torch.testing.assert_close(found[name], value)
        assert not value.is_floating_point() or value.dtype is torch.float32


def test_networks_find_their_own_weights(shipped):
    weights = tiny_imagenet_weights(TRANSFORMER, shipped)
    build_backbone(TRANSFORMER).load_state_dict(weights)


@pytest.mark.parametrize(
    "network",
    [
        BACKBONE.model_copy(update={"planes": (4, 4, 8, 16)}),
        TRANSFORMER.model_copy(update={"image": 32}),
        SmallNetwork(family="resnet", depth=8),
    ],
)
def test_a_network_without_weights_is_refused_with_those_that_have_some(shipped, network):
    with pytest.raises(DataError, match=r"(?s)shipped for .*tiny: .*planes=\(4, 4, 8, 8\).*transformer: "):
        tiny_imagenet_weights(network, shipped)


def test_an_empty_folder_says_that_there_are_none(tmp_path):
    with pytest.raises(DataError, match="none so far"):
        tiny_imagenet_weights(BACKBONE, tmp_path)


def test_a_damaged_file_is_refused(shipped):
    path = shipped / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"tiny\.safetensors is damaged.*Install the package again"):
        tiny_imagenet_weights(BACKBONE, shipped)
    path.unlink()
    with pytest.raises(DataError, match=r"tiny\.safetensors is missing"):
        tiny_imagenet_weights(BACKBONE, shipped)


def test_a_card_that_tells_of_another_network_is_found_out(shipped):
    path = shipped / "tiny.json"
    card = json.loads(path.read_text())
    card["network"]["blocks"] = [1, 1, 2, 1]
    path.write_text(json.dumps(card))
    with pytest.raises(DataError, match=r"belongs to another network: it lacks layer3\.1"):
        tiny_imagenet_weights(BACKBONE.model_copy(update={"blocks": (1, 1, 2, 1)}), shipped)


@pytest.mark.parametrize("name", list(cards()))
def test_what_is_shipped_is_whole_and_fits_its_network(name):
    card = cards()[name]
    weights = tiny_imagenet_weights(card.network)
    build_backbone(card.network).load_state_dict(weights)
    assert {"data", "recipe", "epochs", "top1_percent"} <= card.facts.keys()


def test_every_file_of_weights_has_a_card():
    assert {path.stem for path in SHIPPED.glob("*.safetensors")} == set(cards())


def test_the_start_is_part_of_a_run_and_of_its_stored_form():
    recipes = [teacher_recipe(initialisation=start) for start in ("random", "imagenet", "tiny-imagenet")]
    assert len({recipe.run_id for recipe in recipes}) == 3
    assert Recipe.from_json(recipes[2].to_json()) == recipes[2]
