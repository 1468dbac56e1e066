"""What a training would refuse in its first step is found on networks without storage."""

import pytest

from cdd.architecture import Backbone
from cdd.contract import Method
from cdd.methods.capacity_dynamic import CapacityDynamic, RetrievalGuided
from cdd.methods.rkd import RKD
from cdd.recipe import Batch, Data, RandomBatch, Recipe
from cdd.training.feasible import require_feasible
from experiments import registry
from reproduce.planning.preflight import with_dependencies
from tests.small import BACKBONE, student_recipe

HUGE = Backbone(block="basic", blocks=(1, 1, 1, 1), planes=(65_536,) * 4)


def guided(queue: int, neighbours: int) -> Method:
    return CapacityDynamic(resetting=RetrievalGuided(after_epoch=1, queue=queue, neighbours=neighbours))


def household(**changes: object) -> Recipe:
    recipe = student_recipe(**changes)
    return recipe.model_copy(update={"data": Data(name="household", height=32, width=32)})


@pytest.mark.parametrize("name", ["table1", "supp-figure1"])
def test_what_is_declared_can_be_trained(name: str) -> None:
    for *_, recipe in registry.find(name).recipes("mini", 0):
        for each in with_dependencies(recipe):
            require_feasible(each)


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_whatever_is_declared_can_be_trained(scale) -> None:
    declared = [r for found in registry.summaries() for *_, r in registry.find(found.name).recipes(scale, 0)]
    distinct = {each.run_id: each for recipe in declared for each in with_dependencies(recipe)}
    for each in distinct.values():
        require_feasible(each)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (household(batch=Batch(identities=1000, images=2)), "lower batch.identities"),
        (household(batch=RandomBatch(size=900_000)), "lower batch.size"),
        (household(initialisation="imagenet"), "no ImageNet weights"),
        (household(compactors=False), "compactors"),
        (household(method=guided(queue=999, neighbours=2)), "no multiple of the batch size"),
        (household(method=guided(queue=80, neighbours=40)), "the gallery holds 8 rows"),
        (
            household(student=BACKBONE.model_copy(update={"planes": (5, 4, 8, 8)})),
            "must come from the same batch and the same block",
        ),
        (household(method=RKD(), student=HUGE, compactors=False), "TB of memory, more than any device has"),
    ],
)
def test_what_a_training_would_refuse_is_refused(recipe: Recipe, message: str) -> None:
    if isinstance(recipe.batch, RandomBatch):
        objective = recipe.objective.model_copy(update={"triplet_weight": 0.0})
        recipe = recipe.model_copy(update={"objective": objective})
    with pytest.raises(ValueError, match=message):
        require_feasible(recipe)
