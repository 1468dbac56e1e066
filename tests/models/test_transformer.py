"""The vision transformer as a backbone: torchvision's numbers, its own first weights, what it refuses."""

import hashlib
from pathlib import Path

import pytest
import torch

from cdd.architecture import VisionTransformer
from cdd.compactor.deploy import deploy
from cdd.contract import CODE
from cdd.evaluation.cost import cost, cost_of
from cdd.methods.capacity_dynamic import CapacityDynamic
from cdd.methods.vid import VID
from cdd.models.deployed import Embedder, channels_of, load_deployed, save_deployed
from cdd.models.imagenet import imagenet_weights
from cdd.models.network import RetrievalNetwork, initialise
from cdd.models.transformer import TransformerBackbone
from cdd.recipe import Data, Recipe
from cdd.torchvision_guard import install
from cdd.training.networks import IMAGENET, build_student
from tests.small import BACKBONE, teacher_recipe

SMALL = VisionTransformer(image=32, patch=8, layers=2, heads=2, width=16, hidden=32, embedding=8)


def network(seed: int = 0) -> RetrievalNetwork:
    built = RetrievalNetwork(SMALL, 5)
    initialise(built, torch.Generator().manual_seed(seed))
    return built


def test_the_pooled_feature_is_torchvisions_class_token() -> None:
    built = network().eval()
    assert isinstance(built.backbone, TransformerBackbone)
    images = torch.randn(3, 3, 32, 32)
    output = built(images, tapped=True, mapped=True)
    torch.testing.assert_close(output.pooled, built.backbone.vit(images))
    assert output.pooled.shape == (3, 16)
    assert output.before_compactor == ()


def test_first_weights_are_drawn_from_the_seed_alone() -> None:
    first, again, other = network(0).state_dict(), network(0).state_dict(), network(1).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [n for n in first if not torch.equal(first[n], other[n])]
    assert {n.split(".")[-1] for n in drawn} >= {"pos_embedding", "in_proj_weight", "weight"}
    assert not any(first[name].any() for name in first if name.endswith("bias"))


def test_vit_b_16_costs_what_its_formula_says() -> None:
    found = cost_of("vit_b_16", 384, 384)
    tokens, width = 24 * 24 + 1, 768
    layer = 12 * tokens * width**2 + 2 * tokens**2 * width
    patches = 576 * width * 3 * 16 * 16
    assert found.breakdown["attention"] + found.breakdown["linear"] + found.breakdown["convolution"] == (
        12 * layer + patches + width * 512 + 512 * 1041
    )
    # The paper: 86.7 M and 55.6 G, with another head.
    assert found.parameters / 1e6 == pytest.approx(86.7, abs=0.3)
    assert found.multiply_adds / 1e9 == pytest.approx(55.6, abs=0.1)


def test_only_square_images_have_a_cost() -> None:
    with pytest.raises(ValueError, match="square images, not 320x160"):
        cost_of("vit_b_16", 320, 160)


def test_deploying_keeps_every_number_and_survives_the_disk(tmp_path: Path) -> None:
    built = network().eval()
    deployed = deploy(built, SMALL)
    assert channels_of(deployed) == []
    save_deployed(deployed, SMALL, tmp_path / "deployed.pt")
    images = torch.randn(2, 3, 32, 32)
    found = load_deployed(tmp_path / "deployed.pt")(images)
    torch.testing.assert_close(found, Embedder(built)(images), rtol=0, atol=0)
    counted = sum(p.numel() for name, p in deployed.named_parameters() if "classifier" not in name)
    assert counted == cost(SMALL, 32, 32, identities=5).parameters


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT-B/16 for images of 64 pixels as torchvision writes it."""
    install()
    from torchvision.models import vit_b_16  # noqa: PLC0415  (behind its guard)

    path = tmp_path_factory.mktemp("weights") / "vit_b_16.pth"
    torch.save(vit_b_16(image_size=64).state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(path.with_name(f"vit_b_16-{digest[:8]}.pth"))


def test_a_student_computes_what_torchvisions_transformer_computes(file: Path) -> None:
    install()
    from torchvision.models import vit_b_16  # noqa: PLC0415  (behind its guard)

    original = vit_b_16(image_size=64)
    original.load_state_dict(torch.load(file))
    original.heads = torch.nn.Identity()
    student = VisionTransformer(image=64)
    data = Data(name="household", height=64, width=64)
    recipe = teacher_recipe(student=student, data=data, initialisation="imagenet")
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found = build_student(recipe, 5, {IMAGENET: file}).eval()(images).pooled
        torch.testing.assert_close(found, original.eval()(images))


def test_position_embeddings_are_resized_to_our_images(file: Path) -> None:
    weights = imagenet_weights(VisionTransformer(image=32), file)
    assert weights["vit.encoder.pos_embedding"].shape == (1, 5, 768)
    stored = torch.load(file)["encoder.pos_embedding"]
    assert torch.equal(weights["vit.encoder.pos_embedding"][:, 0], stored[:, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": Data(name="household", height=48, width=24)}, "images of 32x32, but data has 48x24"),
        ({"compactors": True}, "a vision transformer has none"),
    ],
)
def test_a_recipe_that_no_transformer_can_follow_is_refused(changes: dict[str, object], message: str) -> None:
    square = {"student": SMALL, "data": Data(name="household", height=32, width=32)}
    recipe = teacher_recipe(**square | changes)
    with pytest.raises(ValueError, match=message):
        Recipe.from_json(recipe.to_json())


def test_widths_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="image is 30, which 8 does not divide"):
        VisionTransformer(image=30, patch=8)
    with pytest.raises(ValueError, match="width is 768, which 5 does not divide"):
        VisionTransformer(heads=5)


def test_methods_that_need_blocks_or_stages_say_so() -> None:
    with pytest.raises(ValueError, match="bottleneck blocks"):
        CapacityDynamic().build(network(), RetrievalNetwork(BACKBONE, 5), CODE)
    with pytest.raises(ValueError, match="channel counts"):
        RetrievalNetwork(SMALL, 5, channels=[1])
    with pytest.raises(ValueError, match="four stages"):
        VID().build(network(), RetrievalNetwork(BACKBONE, 5), CODE)
