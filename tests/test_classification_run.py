"""A training of image classification from its recipe to the deployed network, with QuEST and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cdd.architecture import Network, SmallNetwork
from cdd.data.augmentation import normalise
from cdd.data.records import evaluated, labels_of_evaluated
from cdd.data.registry import load
from cdd.methods.quest.quest import QuantisedDistiller, QuEST
from cdd.methods.supervised import Supervised
from cdd.models.deployed import Classifier, load_deployed
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Augmentation, Data, Objective, RandomBatch, Recipe, Schedule
from cdd.result import DEPLOYED, DISTILLER, WEIGHTS, Result
from cdd.run import run
from cdd.training.environment import Machine
from tests.data.cifar_trees import cifar

DATA = Data(name="cifar10", height=32, width=32, use="classification")
SCHEDULE = Schedule(epochs=10, peak_learning_rate=0.1, warmup_epochs=0, flat_until_epoch=0, milestones=(8,))
TEACHER = Recipe(
    data=DATA,
    student=SmallNetwork(family="resnet", depth=14, width=0.5),
    initialisation="random",
    method=Supervised(),
    objective=Objective(label_smoothing=0, triplet_weight=0, logit_weight=0),
    batch=RandomBatch(size=20),
    schedule=SCHEDULE,
    augmentation=Augmentation(padding=2, erasing=0),
    precision="float32",
)
STUDENT = TEACHER.model_copy(
    update={
        "student": SmallNetwork(family="resnet", depth=8, width=0.25),
        "teacher": TEACHER,
        "method": QuEST(words=16, certainty=0.9),
    }
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Result, Path]]]:
    """Teacher and student on a small tree in CIFAR's format, whose classes are colours."""
    root = tmp_path_factory.mktemp("cifar")
    cifar("cifar10", root, training_each=10, test_each=4)
    machine, weights, found = Machine(device="cpu", data_root=root), dict[str, Path](), {}
    for name, recipe in (("teacher", TEACHER), ("student", STUDENT)):
        folder = tmp_path_factory.mktemp(name)
        found[name] = (run(recipe, folder, weights=weights, machine=machine), folder)
        weights[recipe.run_id] = folder / WEIGHTS
    found["root"] = (found["teacher"][0], root)
    yield found


def test_top_1_is_that_of_the_deployed_network(finished: dict[str, tuple[Result, Path]]) -> None:
    result, folder = finished["student"]
    dataset = load(DATA, finished["root"][1])
    labels = labels_of_evaluated(dataset, "classification")
    deployed = load_deployed(folder / DEPLOYED)
    assert isinstance(deployed, Classifier)
    with torch.no_grad():
        logits = deployed(normalise(dataset.pixels(evaluated(dataset, "classification"))))
    correct = (logits.argmax(dim=1).numpy() == labels).astype(float)
    assert len(correct) == 40
    assert result.average_precision["classification"] == correct.tolist()
    assert len(result.query_identities["classification"]) == len(correct)
    assert result.metrics["top1"] == pytest.approx(correct.mean())
    assert result.metrics["top1_error"] == pytest.approx(1 - correct.mean())


def test_colours_are_learnt(finished: dict[str, tuple[Result, Path]]) -> None:
    assert finished["teacher"][0].metrics["top1"] > 0.3  # of ten classes
    assert all(epoch.metrics["top1"] >= 0 for epoch in finished["teacher"][0].history)


def test_no_loss_of_retrieval_takes_part(finished: dict[str, tuple[Result, Path]]) -> None:
    losses = [
        {name for name in finished[who][0].history[0].metrics if name.startswith("loss/")}
        for who in ("teacher", "student")
    ]
    assert losses == [{"loss/total", "loss/identity"}, {"loss/total", "loss/identity", "loss/quest"}]


def test_the_reduction_is_of_all_parameters(finished: dict[str, tuple[Result, Path]]) -> None:
    small, large = (torch.load(finished[who][1] / WEIGHTS) for who in ("student", "teacher"))
    counts = [
        sum(v.numel() for name, v in state.items() if "running" not in name and "num_batches" not in name)
        for state in (small, large)
    ]
    assert finished["student"][0].metrics["reduction"] == pytest.approx(1 - counts[0] / counts[1])
    assert finished["student"][0].metrics["parameters"] == counts[0]
    assert "reduction" not in finished["teacher"][0].metrics


def test_what_the_distiller_learnt_is_kept_and_its_vocabulary_beside_the_teacher(
    finished: dict[str, tuple[Result, Path]],
) -> None:
    state = torch.load(finished["student"][1] / DISTILLER)
    distiller = STUDENT.method.build(
        *(_network(STUDENT.student), _network(TEACHER.student)), STUDENT.fidelity
    )
    assert isinstance(distiller, QuantisedDistiller)
    distiller.load_state_dict(state)
    (kept,) = finished["teacher"][1].glob("prepared-*.pt")
    assert torch.equal(torch.load(kept)["words.0.vocabulary"], state["words.0.vocabulary"])
    assert not (finished["teacher"][1] / DISTILLER).exists()


def test_random_batches_and_the_triplet_loss_do_not_fit() -> None:
    with pytest.raises(ValueError, match="set objective.triplet_weight=0"):
        Recipe.model_validate({**dict(TEACHER), "objective": Objective()})


def _network(settings: Network) -> torch.nn.Module:
    return RetrievalNetwork(settings, 10)
