"""A caption says which data sets were used, and which of them ship with this package."""

import pytest

from cdd.recipe import Recipe
from experiments.schema.scale import Scale
from reproduce.evidence.context import RenderContext
from reproduce.planning.requested_run import RequestedRun
from reproduce.tables.caption import caption, scale_text, title
from tests.reproduce.fakes import GROUP, STUDENT, TEACHER, a_teacher, table


def on(*names: str) -> list[RequestedRun]:
    """A run on each of the data sets."""

    def changed(name: str) -> Recipe:
        recipe = a_teacher("mini", 0)
        return recipe.model_copy(update={"data": recipe.data.model_copy(update={"name": name})})

    return [RequestedRun("tiny", "Teacher", GROUP.title, changed(name)) for name in names]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("household",), "on the embedded data set household"),
        (("veri776",), "on the data set veri776"),
        (("veri776", "household"), "on the embedded data set household and the data set veri776"),
        (("veri776", "msmt17"), "on the data sets msmt17 and veri776"),
    ],
)
@pytest.mark.parametrize("scale", ["mini", "bench"])
def test_only_what_ships_with_the_package_is_called_embedded(
    names: tuple[str, ...], words: str, scale: Scale
) -> None:
    requested_runs = on(*names)
    assert title(table(TEACHER, STUDENT), scale, requested_runs).endswith(f"{scale} scale, {words}")
    material = RenderContext(scale=scale, requested_runs=requested_runs, outcomes={}, overrides=())
    (first, *_) = caption(table(TEACHER, STUDENT), material)
    assert "embedded" not in first or "household" in names


def test_at_the_papers_scale_the_data_sets_are_the_papers() -> None:
    assert title(table(TEACHER), "paper", on("veri776")).endswith("(paper scale)")
    assert scale_text("paper", ["veri776"]) == "the paper's data, networks and schedule"
