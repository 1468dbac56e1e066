"""Images of an archive as arrays, decoded once and kept beside what is trained on them."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from cdd.errors import DataError, DataMissingError

Pixels = UInt8[np.ndarray, "images 3 size size"]


@dataclass(frozen=True)
class Labelled:
    """Images and the class of each.

    Attributes:
        pixels: 0 to 255.
        classes: counted from 0, in the order of the classes' names.
    """

    pixels: Pixels
    classes: Int64[np.ndarray, " images"]


@dataclass(frozen=True)
class Images:
    """Images to train on and images to validate with, of the same classes."""

    training: Labelled
    validation: Labelled
    names: list[str]


def images(archive: Path, size: int, folder: Path) -> Images:
    """The archive's images at this size; decoded the first time, then read from the folder.

    Args:
        archive: a tar file with `train/<class>/<image>` and `val/<class>/<image>`.
        size: height and width; the mean of the pixels that fall together.

    Raises:
        DataError: for an archive that is missing or has not both.
    """
    kept = folder / f"{archive.name.partition('.')[0]}-at-{size}.npz"
    if not kept.exists():
        _keep(_decoded(archive, size), kept)
    with np.load(kept, allow_pickle=False) as found:
        training, validation = (
            Labelled(found[f"{part}_pixels"], found[f"{part}_classes"]) for part in ("train", "val")
        )
        return Images(training, validation, found["names"].tolist())


def _decoded(archive: Path, size: int) -> Images:
    if not archive.is_file():
        raise DataMissingError(f"--data {archive}: no such file; give the archive of Tiny ImageNet")
    pixels: dict[str, list[np.ndarray]] = {"train": [], "val": []}
    names: dict[str, list[str]] = {"train": [], "val": []}
    with tarfile.open(archive, "r|*") as members:
        for member in members:
            part, name = (*Path(member.name).parts, "", "")[:2]
            file = members.extractfile(member) if part in pixels and member.isfile() else None
            if file is not None:
                pixels[part].append(_pixels(file.read(), size))
                names[part].append(name)
    classes = sorted(set(names["train"]))
    if not classes or set(names["val"]) - set(classes) or not names["val"]:
        raise DataError(
            f"{archive} has {len(names['train'])} images below train/ and {len(names['val'])} below val/: "
            "expected train/<class>/<image>, and val/<class>/<image> of the same classes"
        )
    number = {name: place for place, name in enumerate(classes)}
    training, validation = (
        Labelled(np.stack(pixels[part]), np.array([number[name] for name in names[part]])) for part in pixels
    )
    return Images(training, validation, classes)


def _pixels(content: bytes, size: int) -> UInt8[np.ndarray, "3 size size"]:
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGB").resize((size, size), Image.Resampling.BOX)
    return np.asarray(image).transpose(2, 0, 1)


def _keep(found: Images, path: Path) -> None:
    """Writes the arrays, complete or not at all; two processes may do so at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}-{np.random.SeedSequence().entropy}.partial.npz")
    np.savez(
        partial,
        train_pixels=found.training.pixels,
        train_classes=found.training.classes,
        val_pixels=found.validation.pixels,
        val_classes=found.validation.classes,
        names=np.array(found.names),
    )
    partial.replace(path)
