"""Every method has a key of its own, by which stored recipes name it, wherever its class lies."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cdd.methods
from cdd.contract import Method
from cdd.method_keys import methods_by_key
from cdd.methods.supervised import Supervised
from cdd.recipe import Recipe, canonical
from experiments import registry
from experiments.schema.scale import SCALES
from tests.methods.test_contract import kinds
from tests.small import teacher_recipe

RUN_IDS = Path(__file__).parent / "golden" / "run_ids.json"
MODULE = """
from cdd.contract import Distiller
from cdd.methods.supervised import Supervised


class Moved(Supervised):
    {body}
"""

WriteMethod = Callable[..., str]


def chain(recipe: Recipe) -> list[str]:
    """The run and all that it needs."""
    return [recipe.run_id, *(run_id for before in recipe.dependencies for run_id in chain(before))]


def run_ids(name: str) -> dict[str, str]:
    """By scale the run ids of an artifact at seed 0, with those that they need, each once."""
    artifact = registry.find(name)
    recipes = {scale: [recipe for *_, recipe in artifact.recipes(scale, 0)] for scale in SCALES}
    return {
        scale: " ".join(dict.fromkeys(run_id for recipe in found for run_id in chain(recipe)))
        for scale, found in recipes.items()
    }


@pytest.fixture
def written(tmp_path: Path) -> Iterator[WriteMethod]:
    """Writes a file of the library's methods; gives the name of its module."""
    made = []

    def write(body: str, name: str = "moved_elsewhere") -> str:
        (tmp_path / f"{name}.py").write_text(MODULE.format(body=body), encoding="utf-8")
        importlib.invalidate_caches()
        made.append(f"cdd.methods.{name}")
        return made[-1]

    cdd.methods.__path__.append(str(tmp_path))
    yield write
    cdd.methods.__path__.remove(str(tmp_path))
    for module in made:
        sys.modules.pop(module, None)


# Written before methods had keys: a changed key, default or field name would orphan every finished run.
@pytest.mark.parametrize("name", json.loads(RUN_IDS.read_text(encoding="utf-8")))
def test_the_run_ids_of_every_artifact_at_every_scale_stay(name: str) -> None:
    assert run_ids(name) == json.loads(RUN_IDS.read_text(encoding="utf-8"))[name]


def test_every_method_has_a_key_of_its_own() -> None:
    assert sorted(methods_by_key()) == sorted(vars(kind)["key"] for kind in kinds())
    assert len(set(methods_by_key())) == len(kinds())


def test_a_method_is_found_by_its_key_in_whatever_file_it_lies(written: WriteMethod) -> None:
    module = importlib.import_module(written("key = 'cdd.methods.older_file:Older'"))
    recipe = teacher_recipe(method=module.Moved())
    stored = json.loads(json.dumps(recipe.to_json()))
    assert stored["method"] == {"method": "cdd.methods.older_file:Older"}
    assert canonical(module.Moved())["method"] == "cdd.methods.older_file:Older"
    assert type(Recipe.from_json(stored).method) is module.Moved


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("'''Without a key.'''", "Moved has no key of its own"),
        (f"key = '{Supervised.key}'", f"Supervised and Moved have one key, '{Supervised.key}'"),
    ],
)
def test_a_method_without_a_key_of_its_own_is_refused(written: WriteMethod, body: str, message: str) -> None:
    module = importlib.import_module(written(body))
    assert issubclass(module.Moved, Method)
    with pytest.raises(ValueError, match=message):
        methods_by_key()


def test_a_recipe_imports_nothing_that_is_no_method() -> None:
    stored = teacher_recipe().to_json()
    for key in ("cdd.methods.nothing_here:X", "cdd.run:run", "cdd.methods.supervised:nn", 3, None, ["a"]):
        with pytest.raises(ValueError, match=r"not a method of this version of the library \(cdd\.methods\)"):
            Recipe.from_json({**stored, "method": {"method": key}})
    assert "cdd.methods.nothing_here" not in sys.modules
