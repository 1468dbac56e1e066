"""From archives to the frozen file: which models take part, their variants, their photographs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from tools.household.attribution import Contents, Dropped, attribution
from tools.household.backgrounds import Scenery, sceneries, textures
from tools.household.camera import CAMERAS, Difficulty, cameras
from tools.household.catalog import Archive, Model, archives, models
from tools.household.duplicates import Appearance, Kinship, appearance, kinship
from tools.household.freeze import FrozenImage, arrays, encoded, freeze
from tools.household.photograph import CANVAS, Studio, photograph
from tools.household.renderer import Renderer
from tools.household.shape import Part, UnusableModelError, load_parts
from tools.household.split import SCENERY, Split, kin, splits

VIEWS = 3
LEAST_MEAN_COVERAGE = 0.05


@dataclass(frozen=True)
class Candidate:
    """A model that can be drawn."""

    model: Model
    parts: Sequence[Part]
    appearance: Appearance


@dataclass(frozen=True)
class Built:
    """A finished build: what it contains and the digest of its file."""

    contents: Contents
    digest: str


def build(models_folder: Path, output: Path, difficulty: Difficulty, limit: int | None = None) -> Built:
    """Renders and freezes the data set, and writes its attribution beside it.

    Args:
        limit: take only so many models, at equal steps through the catalogue; for trials.

    Raises:
        ModelsMissingError: if the folder has no models.
        RendererMissingError: if this machine cannot draw.
        ValueError: if the file would be too large.
    """
    libraries = archives(models_folder)
    licensed, dropped = _licensed(libraries)
    available = textures(libraries, licensed)
    renderer = Renderer(CANVAS)
    candidates = _candidates(renderer, _thinned(licensed, limit), dropped)
    relation = kinship([one.appearance for one in candidates], [kin(one.model) for one in candidates])
    dropped += [Dropped(candidates[copy].model.key, "copy of another model") for copy in relation.copies]
    chosen = _assigned(candidates, relation)
    pools = sceneries(available, 1 + max(SCENERY.values()))
    studio = Studio(renderer, cameras(difficulty), difficulty)
    shown = _photographed(studio, chosen, pools, dropped)
    images = [
        FrozenImage(content, identity, place // VIEWS, place % VIEWS, shown_split)
        for identity, (_, shown_split, contents) in enumerate(shown)
        for place, content in enumerate(contents)
    ]
    contents = Contents(
        [model for model, _, _ in shown],
        [shown_split for _, shown_split, _ in shown],
        CAMERAS * VIEWS,
        sorted(dropped, key=lambda one: one.key),
        [pool.textures for pool in pools],
    )
    digest = freeze(arrays(images, [_described(model) for model in contents.models]), output)
    (output / "ATTRIBUTION.md").write_text(attribution(contents), encoding="utf-8")
    return Built(contents, digest)


def _licensed(libraries: Sequence[Archive]) -> tuple[list[Model], list[Dropped]]:
    found: list[Model] = []
    dropped: list[Dropped] = []
    for archive in libraries:
        for key, model in models(archive):
            if isinstance(model, Model):
                found.append(model)
            else:
                dropped.append(Dropped(key, str(model)))
    return sorted(found, key=lambda model: model.key), dropped


def _thinned(found: Sequence[Model], limit: int | None) -> Sequence[Model]:
    if limit is None or limit >= len(found):
        return found
    return [found[number * len(found) // limit] for number in range(limit)]


def _candidates(renderer: Renderer, found: Sequence[Model], dropped: list[Dropped]) -> list[Candidate]:
    candidates = []
    for model in track(found, "Reading models"):
        try:
            parts = load_parts(model)
        except UnusableModelError as error:
            dropped.append(Dropped(model.key, str(error)))
            continue
        with renderer.loaded(parts) as drawables:
            seen = appearance(renderer, drawables)
        if seen.coverage < LEAST_MEAN_COVERAGE:
            dropped.append(Dropped(model.key, "thin: covers too little of its images"))
        else:
            candidates.append(Candidate(model, parts, seen))
    return candidates


def _assigned(candidates: Sequence[Candidate], relation: Kinship) -> list[tuple[Candidate, Split]]:
    """The candidates that are no copies, with their splits."""
    keys = [one.model.key for one in candidates]
    return [
        (one, chosen)
        for number, (one, chosen) in enumerate(zip(candidates, splits(keys, relation.groups), strict=True))
        if number not in relation.copies
    ]


def _photographed(
    studio: Studio,
    chosen: Sequence[tuple[Candidate, Split]],
    pools: Sequence[Scenery],
    dropped: list[Dropped],
) -> list[tuple[Model, Split, list[bytes]]]:
    shown = []
    for candidate, split in track(chosen, "Taking photographs"):
        contents = _all_views(studio, candidate, pools[SCENERY[split]])
        if contents is None:
            dropped.append(Dropped(candidate.model.key, "unclear: too small or too like its background"))
        else:
            shown.append((candidate.model, split, contents))
    return shown


def _all_views(studio: Studio, candidate: Candidate, scenery: Scenery) -> list[bytes] | None:
    """All images of an identity, camera by camera; None if one of them is never clear."""
    contents = []
    with studio.renderer.loaded(candidate.parts) as drawables:
        for place in _places():
            taken = photograph(studio, drawables, scenery, candidate.model.key, place)
            if taken is None:
                return None
            contents.append(encoded(taken.pixels))
    return contents


def _places() -> Iterator[tuple[int, int]]:
    return ((camera, view) for camera in range(CAMERAS) for view in range(VIEWS))


def _described(model: Model) -> Mapping[str, str]:
    return {
        "library": model.archive.library,
        "name": model.name,
        "model": model.file,
        "category": model.category,
        "creator": model.credit.author,
        "licence": model.credit.licence.identifier,
    }
