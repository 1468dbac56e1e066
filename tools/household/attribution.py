"""The page that names every author, licence and change."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tools.household.backgrounds import Texture
from tools.household.catalog import PACKAGE, VERSION, Model
from tools.household.freeze import FILE
from tools.household.licences import Licence
from tools.household.split import Split

HEAD = f"""# Attribution

`{FILE}` consists of images rendered from 3D models by many authors. The models are those of the Debian package
`{PACKAGE}` {VERSION}, libraries of Sweet Home 3D (https://www.sweethome3d.com), converted to OBJ and collected by
Emmanuel Puybaret / eTeks. Every model is under one of the licences below; no author endorses this data set.

**Changes made.** Each model was scaled to its catalogue size, simplified, lit and rendered by six virtual cameras
before backgrounds that are not part of it, in places behind a rectangular occluder, blurred, given noise, shrunk to
64x64 pixels and stored as JPEG. The images are offered under the licence of the model that they show.

The authors of the Blend Swap models are those of the licence text in each model's own folder (`own`), or, where it
names none, of the catalogue. Models whose folder has no licence text are under the licence of their library
(`library`), whose archive says so in `LICENSE.TXT`.
"""  # noqa: E501


@dataclass(frozen=True)
class Dropped:
    """A model that is not in the data set, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """What a build put into the file, and what not; identities in the order of their numbers."""

    models: Sequence[Model]
    splits: Sequence[Split]
    images_per_identity: int
    dropped: Sequence[Dropped]
    textures: Sequence[Sequence[Texture]]  # by scenery


def attribution(contents: Contents) -> str:
    """The whole page in Markdown."""
    return "\n".join(
        [HEAD, *_licences(contents.models), *_build(contents), *_objects(contents), *_textures(contents)]
    )


def _licences(models: Sequence[Model]) -> list[str]:
    found: Counter[Licence] = Counter(model.credit.licence for model in models)
    ordered = sorted(found, key=lambda licence: licence.identifier)
    return [
        "## Licences\n",
        "| licence | objects | text |",
        "|---|---|---|",
        *(f"| {licence.identifier} | {found[licence]} | {licence.url} |" for licence in ordered),
        "",
    ]


def _build(contents: Contents) -> list[str]:
    identities = Counter(contents.splits)
    reasons = Counter(dropped.reason for dropped in contents.dropped)
    return [
        "## What is in the file\n",
        "| split | identities | images |",
        "|---|---|---|",
        *(
            f"| {split.name.lower()} | {identities[split]} "
            f"| {identities[split] * contents.images_per_identity} |"
            for split in Split
        ),
        "\nModels that were left out:\n",
        *(f"- {count}: {reason}" for reason, count in reasons.most_common()),
        "\n<details><summary>Which ones</summary>\n",
        *(f"- `{dropped.key}`: {dropped.reason}" for dropped in contents.dropped),
        "\n</details>\n",
    ]


def _objects(contents: Contents) -> list[str]:
    return [
        "## Objects\n",
        "| identity | split | object | library and file | author | original work | licence | stated in |",
        "|---|---|---|---|---|---|---|---|",
        *(
            _object(number, model, split)
            for number, (model, split) in enumerate(zip(contents.models, contents.splits, strict=True))
        ),
        "",
    ]


def _object(number: int, model: Model, split: Split) -> str:
    found = model.credit
    title = _cell(found.title or ("original" if found.page else ""))
    cells = (
        str(number),
        split.name.lower(),
        _cell(model.name),
        f"`{model.key}`",
        _cell(found.author),
        f"[{title}]({found.page})" if found.page else title,
        f"[{found.licence.identifier}]({found.licence.url})",
        "own" if found.is_own_text else "library",
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("[", "(").replace("]", ")")


def _textures(contents: Contents) -> list[str]:
    names = ("pretraining", "training and validation", "test")
    lines = [
        "## Backgrounds and occluders\n",
        "Walls, floors and occluders are cut from pictures that belong to models of the same libraries, "
        "under\nthe same licences and by the same authors as the models in whose folders they lie. "
        "No picture serves\ntwo of the three uses.\n",
    ]
    for name, found in zip(names, contents.textures, strict=True):
        lines += [f"**{name}**\n", *(_texture(texture) for texture in found), ""]
    return lines


def _texture(texture: Texture) -> str:
    licence = texture.credit.licence
    return (
        f"- `{texture.library}/{texture.file}`: {_cell(texture.credit.author)}, "
        f"[{licence.identifier}]({licence.url})"
    )
