"""A recipe is a value: frozen, validated, with an identity of its own."""

import json

import pytest
from pydantic import ValidationError

from cdd.architecture import Backbone, Network, SmallNetwork, VisionTransformer
from cdd.contract import CODE, PAPER
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.supervised import Supervised
from cdd.recipe import Data, Recipe, Schedule, canonical
from tests.small import BACKBONE, student_recipe, teacher_recipe


def test_a_run_id_is_twelve_hexadecimal_digits_and_stays() -> None:
    # Stored: a changed default or field name would orphan every finished run.
    recipe = Recipe(data=Data(name="veri776"), student=BACKBONE, method=Supervised())
    assert recipe.run_id == "7e782db7333f"


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"precision": "mixed"},
        {"fidelity": PAPER},
        {"method": CapacityDynamic(sparsity=0.5, resetting=RetrievalGuided(queue=32, after_epoch=1))},
        {"teacher": teacher_recipe(seed=1)},
        {"initialisation": teacher_recipe()},
    ],
)
def test_whatever_can_change_a_number_changes_the_run_id(changes: dict[str, object]) -> None:
    assert student_recipe(**changes).run_id != student_recipe().run_id


def test_equal_recipes_have_one_run_id() -> None:
    assert student_recipe().run_id == student_recipe().run_id
    spelled_out = Schedule(epochs=100, peak_learning_rate=0.01)
    assert teacher_recipe(schedule=Schedule()).run_id == teacher_recipe(schedule=spelled_out).run_id


def test_defaults_are_left_out_of_the_identity() -> None:
    recipe = Recipe(data=Data(name="veri776"), student=BACKBONE, method=Supervised(), seed=0, fidelity=CODE)
    assert set(canonical(recipe)) == {"data", "student", "method"}


def test_methods_with_equal_fields_are_still_different_methods() -> None:
    assert canonical(Supervised()) != canonical(CapacityDynamic())


@pytest.mark.parametrize("recipe", [teacher_recipe(), student_recipe(initialisation=teacher_recipe(seed=4))])
def test_a_recipe_comes_back_from_json(recipe: Recipe) -> None:
    back = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert back == recipe
    assert back.run_id == recipe.run_id


@pytest.mark.parametrize(
    "network",
    [
        BACKBONE,
        VisionTransformer(image=16, patch=8),
        SmallNetwork(family="resnet", depth=20),
        SmallNetwork(family="mobilenet-v2", width=0.5),
    ],
)
def test_every_kind_of_network_comes_back_from_json(network: Network) -> None:
    recipe = teacher_recipe(student=network, teacher=teacher_recipe(student=network))
    back = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert type(back.student) is type(network)
    assert back == recipe
    assert back.run_id == recipe.run_id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"family": "resnet", "depth": 21}, r"depth is 21, but the depth of resnet is 6n \+ 2"),
        ({"family": "resnet"}, "depth is None"),
        ({"family": "wide-resnet", "depth": 20}, r"wide-resnet is 6n \+ 4"),
        ({"family": "vgg", "depth": 9}, "8, 11, 13, 16 or 19"),
        ({"family": "bottleneck-resnet", "depth": 101}, "is 50"),
        ({"family": "mobilenet-v2", "depth": 50}, "mobilenet-v2 is None"),
        ({"family": "vgg", "depth": 8, "width": 0.1}, "greater than or equal to 0.125"),
        ({"family": "alexnet"}, "family"),
    ],
)
def test_impossible_small_networks_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SmallNetwork.model_validate(fields)


def test_fidelities_have_names() -> None:
    fields = student_recipe().to_json()
    assert Recipe.from_json({**fields, "fidelity": "paper"}).fidelity == PAPER
    assert Recipe.from_json({**fields, "fidelity": "code"}).fidelity == CODE


def test_the_two_fidelities_differ_in_every_field() -> None:
    assert all(getattr(CODE, name) != getattr(PAPER, name) for name in type(CODE).model_fields)


def test_dependencies_are_pretraining_and_teacher() -> None:
    start = teacher_recipe(seed=4)
    assert student_recipe(initialisation=start).dependencies == (start, teacher_recipe())
    assert teacher_recipe().dependencies == ()


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        teacher_recipe().seed = 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"sede": 1}, "sede"),
        ({"batch": {"identities": 16, "images": 1}}, "images"),
        ({"precision": "float64"}, "precision"),
        ({"teacher": None}, "distils from a teacher"),
        ({"student": Backbone(block="basic", blocks=(1, 1, 1, 1))}, "basic blocks"),
        (
            {"student": SmallNetwork(family="bottleneck-resnet", depth=50)},
            "a network for small images is never compacted",
        ),
        ({"method": {"method": "os:system"}}, r"cdd\.methods"),
        ({"method": {"method": "cdd.methods.supervised:Gone"}}, "not a method"),
    ],
)
def test_impossible_recipes_are_refused(changes: dict[str, object], message: str) -> None:
    fields = {name: getattr(student_recipe(), name) for name in Recipe.model_fields}
    with pytest.raises(ValidationError, match=message):
        Recipe(**{**fields, **changes})
