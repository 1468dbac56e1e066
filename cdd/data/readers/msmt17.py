"""MSMT17: pedestrians seen by 15 cameras.

Source: Wei et al., "Person Transfer GAN to Bridge Domain Gap for Person Re-Identification", CVPR 2018;
layouts as its authors (V1; V2 with masked faces) and the CDD release have them.
"""

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cdd.data.dataset_facts import Count, DatasetSpec
from cdd.data.image_list import (
    ImageList,
    NamePattern,
    candidates,
    matched,
    not_found,
    require_present,
    split_of,
    with_validation,
)
from cdd.data.protocols import camera_rule
from cdd.data.readers.list_files import distinct, lines_of, number_of, path_in
from cdd.data.records import ImageRecord, Split
from cdd.errors import DataError

if TYPE_CHECKING:
    from cdd.recipe import Data


NAME, ADDRESS = "msmt17", "https://www.pkuvmc.com/dataset.html"
FOLDERS = ("msmt17", "msmt17_v1", "msmt17_v2", "msmt-17")
VERSIONS = ("msmt17_v1", "msmt17_v2")
PARTS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
FLAT: dict[str, Split] = {"train": "training", "query": "query", "gallery": "gallery"}
LISTS: dict[str, Split] = {"list_query.txt": "query", "list_gallery.txt": "gallery"}
TRAINING_LISTS = {"train": ("list_train.txt",), "train+val": ("list_train.txt", "list_val.txt")}
CAMERA = NamePattern(re.compile(r"\d+_\d+_(\d{1,9})_"), "0000_000_01_0303morning_0015_0.jpg")
FLAT_PATTERN = NamePattern(re.compile(r"(-?\d{1,9})_c(\d{1,9})"), "0000_c01_000.jpg")


def msmt17(root: Path, data: "Data") -> ImageList:
    """The images below this data root.

    `data.msmt17_lists` says whether list_val is trained on as well. Identities of the test lists,
    which count from 0 again, are moved behind those of training.

    Raises:
        DataError: if the data set is not there, not complete, or has a file with a wrong name.
    """
    folders = list(
        dict.fromkeys(chain.from_iterable(candidates(found, VERSIONS) for found in candidates(root, FOLDERS)))
    )
    official = [(folder, version) for version in PARTS for folder in folders if _is_official(folder, version)]
    if official:
        folder, version = official[0]
        others = sorted({other for _, other in official} - {version})
        remarks = tuple(f"MSMT17 {other} is there as well and was not read" for other in others)
        return _official(folder, version, data, remarks)
    for folder in folders:
        found = split_of(folder, FLAT)
        if found:
            return _flat(folder, found)
    lists = (*TRAINING_LISTS["train+val"], *LISTS)
    layouts = {f"official {version}": (*parts, *lists) for version, parts in PARTS.items()}
    raise not_found("MSMT17", folders, {**layouts, "flat": tuple(FLAT)}, ADDRESS)


def _is_official(folder: Path, version: str) -> bool:
    return (folder / "list_train.txt").is_file() and all((folder / part).is_dir() for part in PARTS[version])


def _official(folder: Path, version: str, data: "Data", remarks: tuple[str, ...]) -> ImageList:
    training, test = PARTS[version]
    names = TRAINING_LISTS[data.msmt17_lists]
    rows: list[tuple[str, int, int, Split]] = [
        (*row, "training") for name in names for row in _listed(folder, training, name)
    ]
    moved = 1 + max(identity for _, identity, _, _ in rows)
    for name, split in LISTS.items():
        rows += [(path, moved + i, camera, split) for path, i, camera in _listed(folder, test, name)]
    once, repeated = distinct(rows, " and ".join((*names, *LISTS)))
    return ImageList(
        name=NAME,
        folder=folder,
        layout=f"official {version}, {' and '.join(names)}",
        records=with_validation((ImageRecord(*row) for row in once), NAME),
        sources=(*names, *LISTS),
        remarks=(*remarks, *repeated),
    )


def _listed(folder: Path, part: str, name: str) -> list[tuple[str, int, int]]:
    """Path, identity and camera of every line."""
    if not (folder / name).is_file():
        raise DataError(f"MSMT17 in {folder} has no {name}: copy the four list files beside {part}")
    source = folder / name
    lines = [line.rsplit(maxsplit=1) for line in lines_of(source)]
    rows = [(words[0], number_of(words[-1])) for words in lines if len(words) == 2]
    identities = [identity for _, identity in rows if identity is not None]
    if not lines:
        raise DataError(f"{source} is empty: copy it again")
    if len(identities) < len(lines):
        wrong = next(words for words in lines if len(words) != 2 or number_of(words[1]) is None)
        raise DataError(
            f"{source} is damaged: expected lines of path and identity, got {' '.join(wrong)[:80]!r}"
        )
    paths = [f"{part}/{path_in(path, source)}" for path, _ in rows]
    require_present(paths, folder, [part], name)
    cameras = [int(match[1]) - 1 for match in matched(paths, CAMERA, folder)]
    return list(zip(paths, identities, cameras, strict=True))


def _flat(folder: Path, found: dict[Split, list[str]]) -> ImageList:
    kept: list[ImageRecord] = []
    moved = 0
    # Training comes first in FLAT, so that the identities of the others are moved behind it.
    for split, paths in found.items():
        names = matched(paths, FLAT_PATTERN, folder)
        records = [
            ImageRecord(path, moved + int(name[1]), int(name[2]), split)
            for path, name in zip(paths, names, strict=True)
            if int(name[1]) >= 0
        ]
        if not records:
            raise DataError(f"MSMT17 in {folder} has no image for {split}: unpack the archive again")
        if split == "training":
            moved = 1 + max(record.identity for record in records)
        kept += records
    return ImageList(
        name=NAME,
        folder=folder,
        layout="flat",
        records=with_validation(kept, NAME),
        remarks=("which lists the training images are from cannot be told in this layout",),
    )


DATASET = DatasetSpec(
    name=NAME,
    title="MSMT17",
    reader=msmt17,
    splits={
        "training": (Count(32_621, 1_041), Count(30_248, 1_041, "list_val is not trained on")),
        "query": (Count(11_659, 3_060),),
        "gallery": (Count(82_161, 3_060),),
    },
    cameras=15,
    protocols=(camera_rule(),),
    own_settings=("msmt17_lists",),
    usual_training=lambda data: int(data.msmt17_lists == "train"),
)
