"""ImageNet weights as torchvision writes them: loaded whole, or refused with the reason."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from cdd.architecture import Backbone
from cdd.errors import DataError
from cdd.models.imagenet import imagenet_weights
from cdd.models.zoo import BACKBONES
from cdd.torchvision_guard import install
from cdd.training.networks import IMAGENET, build_student
from tests.small import student_recipe


@pytest.fixture(scope="module")
def original() -> Any:
    """torchvision's ResNet-50 with random weights, with the last stride that retrieval uses."""
    install()
    from torchvision.models import resnet50  # noqa: PLC0415  (behind its guard)

    torch.manual_seed(0)
    network = resnet50()
    network(torch.randn(4, 3, 64, 64))  # moves the running statistics away from their start
    network.layer4[0].conv2.stride = network.layer4[0].downsample[0].stride = (1, 1)
    return network.eval()


@pytest.fixture(scope="module")
def file(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its state dict under the kind of name that torchvision gives its downloads."""
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(original.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(path.with_name(f"resnet50-{digest[:8]}.pth"))


@pytest.mark.parametrize("compactors", [False, True])
def test_a_student_computes_what_torchvisions_network_computes(
    original: Any, file: Path, compactors: bool
) -> None:
    recipe = student_recipe(student=BACKBONES["resnet50"], initialisation="imagenet", compactors=compactors)
    student = build_student(recipe, 5, {IMAGENET: file}).eval()
    images = torch.randn(2, 3, 64, 32)
    features: dict[str, torch.Tensor] = {}
    original.avgpool.register_forward_hook(lambda module, given, found: features.update(pooled=found))
    with torch.no_grad():
        original(images)
        found = student(images).pooled
    torch.testing.assert_close(found, features["pooled"].flatten(1), rtol=1e-4, atol=1e-5)


def test_a_folder_is_searched_for_the_backbones_own_file(file: Path) -> None:
    found = imagenet_weights(BACKBONES["resnet50"], file.parent)
    assert not any(name.startswith("fc.") for name in found)
    with pytest.raises(DataError, match=r"resnet101-<hash>\.pth"):
        imagenet_weights(BACKBONES["resnet101"], file.parent)


def test_weights_of_another_network_are_refused(file: Path) -> None:
    with pytest.raises(DataError, match=r"another network: it lacks layer3\.10"):
        imagenet_weights(BACKBONES["resnet101"], file)
    with pytest.raises(DataError, match="another network"):
        imagenet_weights(BACKBONES["resnet34"], file)


def test_a_file_that_does_not_match_its_name_is_refused(file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / file.name
    damaged.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match="is damaged"):
        imagenet_weights(BACKBONES["resnet50"], damaged)


@pytest.mark.parametrize("content", [b"", b"weights", None])
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "resnet50.pth"
    if content is None:
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"resnet50\.pth"):
        imagenet_weights(BACKBONES["resnet50"], path)


def test_a_missing_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: object, **named: object) -> None:
        raise OSError("Network is unreachable")

    install()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(DataError, match=r"could not download .*resnet50.* --weights PATH"):
        imagenet_weights(BACKBONES["resnet50"])


def test_a_backbone_without_a_name_has_no_imagenet_weights() -> None:
    with pytest.raises(ValueError, match="only for resnet18"):
        imagenet_weights(Backbone(block="basic", blocks=(1, 1, 1, 1)))
