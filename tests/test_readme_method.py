"""The documentation's new method: its file keeps the contract, its row plans a run, its test passes."""

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch

import cdd.methods
from cdd.contract import RetrievalOutput
from cdd.recipe import Recipe
from experiments.common.comparison import distilled
from experiments.paper.table3 import HERE, TABLE
from tests.documents import PROJECT
from tests.methods import test_contract

PAGE = (PROJECT / "docs" / "how-to" / "add-a-method.md").read_text(encoding="utf-8")
LONGEST = 30


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The example as a module of the library."""
    folder = tmp_path_factory.mktemp("methods")
    (folder / "similarity.py").write_text(block("method"))
    cdd.methods.__path__.append(str(folder))
    try:
        yield importlib.import_module("cdd.methods.similarity")
    finally:
        cdd.methods.__path__.remove(str(folder))
        sys.modules.pop("cdd.methods.similarity", None)


def test_the_file_is_short() -> None:
    assert len(block("method").splitlines()) <= LONGEST


def test_the_contract_finds_the_new_method(module: ModuleType) -> None:
    assert module.Similarity in test_contract.kinds()


@pytest.mark.parametrize(
    "law",
    [
        test_contract.test_terms_are_finite_differentiable_scalars_of_their_own_name,
        test_contract.test_gradients_reach_the_student_and_never_the_teacher,
        test_contract.test_what_a_distiller_owns_is_neither_the_student_nor_the_teacher,
        test_contract.test_a_stored_state_goes_on_with_the_same_terms,
        test_contract.test_settings_survive_a_stored_recipe,
        test_contract.test_thirty_steps_on_one_batch_lower_the_terms,
    ],
)
def test_the_new_method_keeps_the_contract(module: ModuleType, law: Any) -> None:
    law(module.Similarity())


def test_the_row_is_a_run_like_the_others(module: ModuleType) -> None:
    row = eval(block("row"), {"distilled": distilled, "Similarity": module.Similarity, "HERE": HERE})
    table = replace(TABLE, rows=(*TABLE.rows, row))
    found = {label: recipe for label, _, recipe in table.recipes("mini", 0)}
    rkd, new = found["RKD"], found["Similarity"]
    assert new.run_id not in {recipe.run_id for label, recipe in found.items() if label != "Similarity"}
    assert new.model_copy(update={"method": rkd.method}) == rkd
    assert Recipe.from_json(new.to_json()).method == module.Similarity()


def test_the_test_passes_and_can_fail(module: ModuleType) -> None:
    names: dict[str, Any] = {"SimilarityDistiller": module.SimilarityDistiller, "replace": replace}
    exec(block("law"), names)
    (law,) = (value for name, value in names.items() if name.startswith("test_"))
    embedding = torch.randn(6, 4)
    output = RetrievalOutput(pooled=embedding, embedding=embedding, logits=embedding)
    rotation, _ = torch.linalg.qr(torch.randn(4, 4))
    labels = torch.arange(6)
    law(output, labels, rotation)
    with pytest.raises(AssertionError):
        law(output, labels, torch.randn(4, 4))
