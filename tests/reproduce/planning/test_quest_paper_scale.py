"""QuEST's artifacts at the paper's scale, on small trees in CIFAR's real file format."""

from pathlib import Path

import pytest
import torch

from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.run import run
from cdd.training.environment import Machine
from experiments.quest.table1 import TABLE
from reproduce.execution.listener import Listener
from reproduce.pipeline.artifact_pipeline import ArtifactPipeline, RunOptions
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from tests.data.cifar_trees import cifar

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_model")]
SHORT = [
    *("schedule.epochs=1", "batch.size=50", "QuEST.words=16", "QuEST.temperature=none"),
    *("QuEST.certainty=0.9", "precision=float32"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CIFAR-10 and CIFAR-100 with a few images of each class."""
    root = tmp_path_factory.mktemp("cifar")
    cifar("cifar10", root, training_each=10, test_each=2)
    cifar("cifar100", root, training_each=2, test_each=1)
    return root


@pytest.mark.parametrize(("name", "runs"), [("quest-figure1", 3), ("quest-figure2", 2)])
def test_the_figures_train_and_are_drawn(name: str, runs: int, tree: Path, results: Path) -> None:
    request = RunOptions(
        names=[name],
        scale="paper",
        seeds=[0],
        changes=SHORT,
        results=results,
        machine=Machine(device="cpu", data_root=tree),
    )
    (drawn,) = ArtifactPipeline(request, Listener()).run(run)
    assert drawn.complete
    assert drawn.trained == runs
    assert {path.suffix for path in drawn.files} == {".pdf", ".png", ".svg", ".csv", ".md"}
    assert "paper scale" in drawn.sheet.title
    assert len(drawn.sheet.numbers)


def every_pair() -> list[Recipe]:
    (changed,) = [requested_runs(TABLE, "paper", [0], parse(SHORT))]
    return [requested.recipe for requested in changed if requested.recipe.teacher]


# All families; the wide ResNets are those of the figures.
@pytest.mark.parametrize("number", [2, 6, 7, 8, 11, 12])
def test_pairs_of_the_table_train(number: int, tree: Path, tmp_path: Path) -> None:
    recipe = every_pair()[number]
    assert recipe.teacher is not None
    path = tmp_path / "teacher" / "weights.pt"
    path.parent.mkdir()
    torch.manual_seed(0)
    torch.save(RetrievalNetwork(recipe.teacher.student, 100).state_dict(), path)
    machine = Machine(device="cpu", data_root=tree)
    result = run(recipe, tmp_path / "run", weights={recipe.teacher.run_id: path}, machine=machine)
    assert 0 <= result.metrics["top1"] <= 1
    assert 100 * result.metrics["reduction"] == pytest.approx(
        TABLE.rows[number].entries["QuEST"].paper["compression"], abs=0.005
    )
