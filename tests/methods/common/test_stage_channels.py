"""The stages of two networks side by side, and the laws of every method that compares their maps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdd.architecture import Backbone, SmallNetwork
from cdd.contract import CODE, Distiller, Method, RetrievalOutput
from cdd.methods.attention_transfer import AT
from cdd.methods.common.stage_channels import at_smaller_size, draw_weights, stage_channels, stage_maps
from cdd.methods.factor_transfer import FT
from cdd.methods.fitnet import FitNet
from cdd.methods.similarity_preserving import SP
from cdd.methods.vid import VID
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from tests.models.small.networks import each_family
from tests.small import BACKBONE, student_recipe

GOLDEN = Path(__file__).parents[2] / "golden" / "methods.json"
BASIC = Backbone(block="basic", blocks=(1, 2, 1, 1), planes=(3, 4, 5, 6), stem="small", embedding=8)
SIZES = ((16, 8), (8, 4), (4, 2), (4, 2))
LABELS = torch.zeros(4, dtype=torch.int64)
METHODS = [AT(), SP(), VID(), FT(), FT(factor="attention", weight=500.0), FitNet()]
every_method = pytest.mark.parametrize("method", METHODS, ids=repr)


def golden(name: str) -> dict[str, Any]:
    case: dict[str, Any] = next(
        case for case in json.loads(GOLDEN.read_text())["cases"] if case["name"] == name
    )
    return case


def golden_input(case: dict[str, Any], name: str) -> Tensor:
    spec = case["inputs"][name]
    values = np.random.default_rng(spec["seed"]).standard_normal(spec["shape"]).astype("float32")
    for step in spec.get("post", "").split(","):
        if step == "relu":
            values = np.maximum(values, 0)
        elif step.startswith("mul:"):
            values = values * np.float32(step[4:])
    return torch.from_numpy(values).double().requires_grad_()


def check_golden(case: dict[str, Any], loss: Tensor, student: Tensor, tolerance: float = 1e-6) -> None:
    (gradient,) = torch.autograd.grad(loss, student, retain_graph=True)
    assert loss.item() == pytest.approx(case["outputs"]["loss"], rel=tolerance)
    assert gradient.norm().item() == pytest.approx(case["outputs"]["grad_norm_student"], rel=tolerance)


def output(stages: list[Tensor]) -> RetrievalOutput:
    nothing = torch.zeros(len(stages[0]) if stages else 1, 1)
    return RetrievalOutput(pooled=nothing, embedding=nothing, logits=nothing, stages=tuple(stages))


def random_maps(backbone: Backbone, seed: int, *, batch: int = 4, sizes=SIZES) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    channels = stage_channels(RetrievalNetwork(backbone, 3))
    return [
        torch.randn(batch, count, *size, generator=generator).relu().requires_grad_()
        for count, size in zip(channels, sizes, strict=True)
    ]


def built(method: Method, student: Backbone = BASIC, teacher: Backbone = BACKBONE) -> Distiller:
    return method.build(RetrievalNetwork(student, 3), RetrievalNetwork(teacher, 3), CODE)


def term(distiller: Distiller, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    (value,) = distiller.terms(output(student), output(teacher), LABELS).values()
    return value


@every_method
def test_the_order_of_the_batch_does_not_matter(method):
    distiller, student, teacher = built(method), random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    order = torch.tensor([2, 0, 3, 1])
    moved = term(distiller, [m[order] for m in student], [m[order] for m in teacher])
    torch.testing.assert_close(moved, term(distiller, student, teacher))


@every_method
def test_only_the_student_gets_a_gradient(method):
    distiller, student, teacher = built(method), random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    term(distiller, student, teacher).backward()
    assert all(wanted.grad is None for wanted in teacher)
    gradients = [found.grad for found in student if found.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@every_method
def test_descent_on_the_student_lowers_the_term(method):
    distiller, student, teacher = built(method), random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    optimiser = torch.optim.Adam(student, lr=0.02)
    before = term(distiller, student, teacher).item()
    for _ in range(30):
        optimiser.zero_grad()
        term(distiller, student, teacher).backward()
        optimiser.step()
    assert term(distiller, student, teacher).item() < before


@every_method
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_low_precision_reaches_the_maps_and_not_the_term(method, kind):
    distiller, student, teacher = built(method), random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    low = [m.to(kind) for m in student], [m.to(kind) for m in teacher]
    with torch.autocast("cpu", torch.bfloat16):
        found = term(distiller, *low)
    assert found.dtype is torch.float32
    wanted = term(distiller, *([m.float() for m in maps] for maps in low))
    torch.testing.assert_close(found, wanted)
    learnt = [*student, *(p for p in distiller.parameters() if p.requires_grad)]
    gradients = (torch.autograd.grad(value, learnt, allow_unused=True) for value in (found, wanted))
    for low_gradient, gradient in zip(*gradients, strict=True):
        torch.testing.assert_close(low_gradient, gradient)


@every_method
def test_two_images_and_a_student_of_twice_the_resolution_are_enough(method):
    distiller, teacher = built(method), random_maps(BACKBONE, 2, batch=2)
    twice = tuple((2 * height, 2 * width) for height, width in SIZES)
    for sizes in (SIZES, twice):
        value = term(distiller, random_maps(BASIC, 1, batch=2, sizes=sizes), teacher)
        assert value.shape == ()
        assert value.isfinite()


@every_method
def test_the_weight_multiplies_the_term(method):
    student, teacher = random_maps(BASIC, 1), random_maps(BACKBONE, 2)
    half = method.model_copy(update={"weight": method.weight / 2})
    torch.testing.assert_close(term(built(half), student, teacher), term(built(method), student, teacher) / 2)


@every_method
def test_what_is_learnt_starts_alike_and_by_its_seed(method):
    torch.manual_seed(1)
    first = built(method).state_dict()
    torch.manual_seed(2)
    again = built(method).state_dict()
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    if first:
        other = built(method.model_copy(update={"seed": 1})).state_dict()
        weights = [name for name in first if name.endswith("weight")]
        assert weights
        assert not any(torch.equal(first[name], other[name]) for name in weights)


@every_method
def test_the_methods_read_what_real_networks_return_and_teach_all_they_learn(method):
    student, teacher = RetrievalNetwork(BASIC, 3), RetrievalNetwork(BACKBONE, 3).eval()
    distiller = method.build(student, teacher, CODE)
    images = torch.randn(2, 3, 32, 16)
    found, wanted = student(images, mapped=method.reads_maps), teacher(images, mapped=method.reads_maps)
    sum(distiller.terms(found, wanted, torch.zeros(2, dtype=torch.int64)).values()).backward()
    assert all(p.grad is not None for p in distiller.parameters() if p.requires_grad)
    assert any(p.grad is not None for p in student.parameters())
    assert all(p.grad is None for p in teacher.parameters())


@every_method
def test_footprints_are_counted_without_memory(method):
    with torch.device("meta"):
        assert all(parameter.is_meta for parameter in built(method).parameters())


@every_method
def test_a_recipe_with_the_method_survives_storage(method):
    recipe = student_recipe(method=method, compactors=False)
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_channels_are_those_of_the_maps():
    for backbone in (BASIC, BACKBONE):
        network = RetrievalNetwork(backbone, 3)
        stages = network(torch.randn(2, 3, 16, 16), mapped=True).stages
        assert stage_channels(network) == [stage.shape[1] for stage in stages]


@each_family
def test_channels_of_small_networks_are_those_of_their_maps(settings):
    network = RetrievalNetwork(settings, 3).eval()
    stages = network(torch.randn(1, 3, 32, 32), mapped=True).stages
    assert stage_channels(network) == [stage.shape[1] for stage in stages]


def test_maps_of_small_networks_can_be_compared():
    student = RetrievalNetwork(SmallNetwork(family="mobilenet-v2", width=0.25), 3)
    teacher = RetrievalNetwork(SmallNetwork(family="vgg", depth=8, width=0.125), 3)
    images = torch.randn(4, 3, 32, 32)
    maps = student(images, mapped=True), teacher(images, mapped=True)
    for method in METHODS:
        (value,) = method.build(student, teacher, CODE).terms(*maps, LABELS).values()
        assert value.isfinite()
        assert value.requires_grad


def test_channels_need_a_network_with_stages():
    with pytest.raises(ValueError, match="RetrievalNetwork, not NoneType"):
        stage_channels(None)
    with pytest.raises(ValueError, match="not Linear"):
        VID().build(nn.Linear(2, 2), nn.Linear(2, 2), CODE)


def test_maps_and_a_teacher_must_be_there():
    maps = random_maps(BASIC, 1)
    with pytest.raises(ValueError, match="no teacher"):
        stage_maps(output(maps), None)
    for student, teacher in (([], []), (maps, []), (maps, maps[:3])):
        with pytest.raises(ValueError, match="mapped=True"):
            stage_maps(output(student), output(teacher))


def test_maps_are_averaged_to_the_smaller_size_and_never_to_squares():
    tall, low = torch.randn(2, 3, 20, 10), torch.randn(2, 5, 10, 5)
    first, second = at_smaller_size(tall, low)
    assert second is low
    torch.testing.assert_close(first, torch.nn.functional.avg_pool2d(tall, 2))
    again, averaged = at_smaller_size(low, tall)
    assert again is low
    torch.testing.assert_close(averaged, first)


def test_each_axis_takes_its_own_minimum():
    first, second = at_smaller_size(torch.ones(1, 1, 8, 2), torch.ones(1, 1, 4, 3))
    assert first.shape == second.shape == (1, 1, 4, 2)


def test_drawn_weights_have_the_spread_of_pytorch():
    layer = nn.Conv2d(16, 200, 3)
    default_spread, bound = layer.weight.std().item(), 1 / 12
    nn.init.zeros_(layer.weight)
    draw_weights(layer, torch.Generator().manual_seed(0))
    assert layer.weight.std().item() == pytest.approx(default_spread, rel=0.02)
    assert layer.bias is not None
    for values in (layer.weight, layer.bias):
        assert 0.9 * bound < values.abs().max() <= bound
