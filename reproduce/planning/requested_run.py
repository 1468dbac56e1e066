"""The runs that an artifact shows."""

from dataclasses import dataclass

from cdd.recipe import Recipe
from experiments.schema.figure import Artifact
from experiments.schema.scale import Scale
from reproduce.planning.overrides import Overrides


@dataclass(frozen=True)
class RequestedRun:
    """A run that an artifact shows.

    Attributes:
        label: of its row or curve.
        group: title of its group.
        name: for people, where a row shows several kinds of runs; otherwise empty.
    """

    artifact: str
    label: str
    group: str
    recipe: Recipe
    name: str = ""


def requested_runs(
    artifact: Artifact, scale: Scale, seeds: list[int], overrides: Overrides
) -> list[RequestedRun]:
    """The runs that an artifact shows, with the overrides made."""
    entries = [entry for seed in seeds for entry in artifact.recipes(scale, seed)]
    changed = overrides.apply([recipe for _, _, recipe in entries])
    kinds = {group.title for group in artifact.groups if not group.is_dataset}
    return [
        RequestedRun(artifact.name, label, group, recipe, f"{label}: {group}" if group in kinds else "")
        for (label, group, _), recipe in zip(entries, changed, strict=True)
    ]
