"""Runs that start from runs: a trained network pruned by ResRep, and the slim network trained further."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import cdd.run
from cdd.compactor.insert import compactors
from cdd.methods.resrep import ResRep
from cdd.methods.supervised import Supervised
from cdd.models.deployed import load_deployed
from cdd.recipe import Recipe, Schedule
from cdd.result import Result
from cdd.run import run
from cdd.training.environment import Machine
from cdd.training.networks import build_student
from tests.small import SCHEDULE, small_dataset, teacher_recipe

IDENTITIES = 12
BASE = teacher_recipe()
# A threshold that some rows fall below in a few steps.
PRUNED = BASE.model_copy(
    update={
        "initialisation": BASE,
        "compactors": "both",
        "method": ResRep(target=0.5, sparsity=0.02, after_epoch=0, interval=1, growth=8, threshold=0.52),
        "schedule": SCHEDULE.model_copy(update={"epochs": 6}),
    }
)
SHORT = Schedule(
    epochs=1, peak_learning_rate=1e-3, warmup_epochs=0, flat_until_epoch=0, final_learning_rate=0
)
TUNED = PRUNED.model_copy(
    update={"initialisation": PRUNED, "compactors": False, "method": Supervised(), "schedule": SHORT}
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Result, Path]]]:
    """The three runs, by run id."""
    folder = tmp_path_factory.mktemp("stages")
    weights: dict[str, Path] = {}
    results: dict[str, tuple[Result, Path]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cdd.run, "load", lambda data, data_root=None: small_dataset(16, 16))
        for recipe in (BASE, PRUNED, TUNED):
            own = folder / recipe.run_id
            results[recipe.run_id] = (run(recipe, own, weights=weights, machine=Machine(device="cpu")), own)
            weights[recipe.run_id] = own / "weights.pt"
    yield results


def files(finished: dict[str, tuple[Result, Path]]) -> dict[str, Path]:
    return {run_id: folder / "weights.pt" for run_id, (_, folder) in finished.items()}


def test_recipes_survive_being_stored() -> None:
    for recipe in (PRUNED, TUNED):
        assert Recipe.from_json(recipe.to_json()) == recipe
    assert [recipe.continues_pruned for recipe in (BASE, PRUNED, TUNED)] == [False, False, True]


def test_resrep_starts_as_its_base_with_compactors_that_change_nothing(
    finished: dict[str, tuple[Result, Path]],
) -> None:
    student = build_student(PRUNED, IDENTITIES, files(finished))
    assert len(compactors(student)) == 2 * len(student.bottlenecks)
    base = build_student(BASE.model_copy(update={"initialisation": BASE}), IDENTITIES, files(finished))
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(student.eval()(images).embedding, base.eval()(images).embedding)


def test_resrep_leaves_a_smaller_network(finished: dict[str, tuple[Result, Path]]) -> None:
    base, pruned = (finished[recipe.run_id][0] for recipe in (BASE, PRUNED))
    assert pruned.metrics["parameters"] < base.metrics["parameters"]
    assert pruned.channels is not None
    assert len(pruned.channels) == 2 * 4
    assert base.channels is None


def test_the_last_stage_starts_as_the_deployed_network_of_the_stage_before(
    finished: dict[str, tuple[Result, Path]],
) -> None:
    start = build_student(TUNED, IDENTITIES, files(finished)).eval()
    deployed = load_deployed(finished[PRUNED.run_id][1] / "deployed.pt")
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(start(images).embedding, deployed(images))


def test_the_last_stage_keeps_the_size_and_changes_the_weights(
    finished: dict[str, tuple[Result, Path]],
) -> None:
    pruned, tuned = (finished[recipe.run_id] for recipe in (PRUNED, TUNED))
    for name in ("parameters", "multiply_adds"):
        assert tuned[0].metrics[name] == pruned[0].metrics[name]
    assert tuned[0].channels == pruned[0].channels
    images = torch.randn(4, 3, 16, 16)
    before, after = (load_deployed(folder / "deployed.pt")(images) for _, folder in (pruned, tuned))
    assert not torch.allclose(before, after)
    assert tuned[0].metrics["deployment_difference"] == 0
