"""Images found by visual words: drawn from networks, and again from what was written down."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from cdd.architecture import SmallNetwork
from cdd.methods.quest.quest import QuEST
from cdd.methods.supervised import Supervised
from cdd.models.network import RetrievalNetwork, initialise
from cdd.recipe import Data, Objective, RandomBatch, Recipe
from cdd.result import DISTILLER, WEIGHTS
from experiments.schema.figure import Curve, VisualWordRetrieval
from experiments.schema.scale import Scale
from reproduce.errors import UsageError
from reproduce.evidence.context import FIGURES, RenderContext
from reproduce.execution.outcome import Outcome
from reproduce.figures.word_retrieval import QUERIES, draw_word_gallery
from reproduce.planning.overrides import parse
from reproduce.planning.requested_run import requested_runs
from tests.reproduce.fakes import GROUP

NETWORK = SmallNetwork(family="resnet", depth=8, width=0.25)
CLASSES = 329
TEACHER = Recipe(
    data=Data(name="household", height=16, width=16, use="classification"),
    student=NETWORK,
    initialisation="random",
    method=Supervised(),
    objective=Objective(triplet_weight=0),
    batch=RandomBatch(size=8),
)
STUDENT = TEACHER.model_copy(update={"teacher": TEACHER, "method": QuEST(words=8)})


def the_student(scale: Scale, seed: int) -> Recipe:
    return STUDENT


FIGURE = VisualWordRetrieval(
    name="words9",
    title="What words find",
    source="Somebody, CONF 2023, Figure 9",
    group=GROUP,
    curves=(Curve(label="One", recipe=the_student),),
)


class Files:
    """Teacher and student are one network, and the predictor is the vocabulary's direction."""

    def __init__(self, folder: Path):
        self.folder = folder
        network = RetrievalNetwork(NETWORK, CLASSES)
        initialise(network, torch.Generator().manual_seed(0))
        torch.save(network.state_dict(), folder / WEIGHTS)
        distiller = STUDENT.method.build(network, network, STUDENT.fidelity)
        torch.manual_seed(0)
        words: Any = distiller.words[0]  # type: ignore[index]
        words.vocabulary.normal_()
        words.temperature.fill_(1.0)
        torch.save(distiller.state_dict(), folder / DISTILLER)

    def find(self, run_id: str) -> SimpleNamespace:
        return SimpleNamespace(run_id=run_id)

    def read(self, run: SimpleNamespace, name: str, reader: Callable[[Path], Any]) -> Any:
        return reader(self.folder / name)


class NoFiles(Files):
    """The networks are on another machine."""

    def __init__(self) -> None:
        pass

    def read(self, run: SimpleNamespace, name: str, reader: Callable[[Path], Any]) -> Any:
        raise UsageError("the network is not here")


def material(folder: Path, files: Files | None, *, run: bool = True) -> RenderContext:
    wanted = requested_runs(FIGURE, "mini", [0], parse([]))
    outcomes = {STUDENT.run_id: Outcome(state="finished", environment={"device": "cpu"})} if run else {}
    return RenderContext(scale="mini", requested_runs=wanted, outcomes=outcomes, folder=folder, files=files)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("words")
    picture = draw_word_gallery(FIGURE, material(folder, Files(folder)))
    picture.write(folder / FIGURES)
    return folder, picture


def test_every_query_has_its_ranks_in_the_order_of_the_products(drawn: tuple[Path, Any]) -> None:
    numbers = drawn[1].sheet.numbers
    assert numbers["query"].nunique() == QUERIES
    assert (numbers.groupby("query")["rank"].apply(list).map(lambda ranks: ranks == [*range(1, 11)])).all()
    assert (numbers.groupby("query").similarity.apply(lambda values: values.is_monotonic_decreasing)).all()
    assert drawn[1].files[".png"]
    assert drawn[1].sheet.blocks[0].frame.shape == (6, 10)


def test_what_was_written_is_drawn_again_without_the_networks(drawn: tuple[Path, Any]) -> None:
    folder, first = drawn
    again = draw_word_gallery(FIGURE, material(folder, NoFiles()))
    assert again.files == first.files


def test_what_another_run_has_written_is_not_drawn(drawn: tuple[Path, Any], tmp_path: Path) -> None:
    numbers = drawn[1].sheet.numbers.assign(run_id="0123456789ab")
    (tmp_path / FIGURES).mkdir()
    numbers.to_csv(tmp_path / FIGURES / "words9.csv", index=False)
    found = draw_word_gallery(FIGURE, material(tmp_path, NoFiles()))
    assert found.sheet.numbers.empty
    assert found.sheet.blocks[0].frame.index.tolist() == [("not run",)]


def test_without_a_run_it_says_so(tmp_path: Path) -> None:
    found = draw_word_gallery(FIGURE, material(tmp_path, None, run=False))
    assert "None of these runs has finished." in found.sheet.notes


def test_the_caption_counts_how_often_a_query_finds_itself(drawn: tuple[Path, Any]) -> None:
    numbers: pd.DataFrame = drawn[1].sheet.numbers
    first = numbers[numbers["rank"] == 1]
    share = float((first["query"] == first["image"]).mean())
    assert any(f"itself for {share:.1%} of the queries" in note for note in drawn[1].sheet.notes)
