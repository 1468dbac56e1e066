"""In-Shop Clothes Retrieval: clothes on models, and the same item photographed by others.

Source: Liu et al., "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
Annotations", CVPR 2016; layouts as its authors, fast-reid and the CDD release's siblings have them.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
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
from cdd.data.protocols import separate_gallery
from cdd.data.readers.list_files import distinct, lines_of, number_of, path_in
from cdd.data.records import ImageRecord, Split
from cdd.errors import DataError

if TYPE_CHECKING:
    from cdd.recipe import Data


NAME, ADDRESS = "in-shop", "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html"
FOLDERS = ("inshop", "in-shop", "in_shop", "deepfashion", "In-shop Clothes Retrieval Benchmark")
PARTITIONS = ("Eval/list_eval_partition.txt", "Anno/list_eval_partition.txt", "list_eval_partition.txt")
IMAGES = ("Img/img", "img", "Img/img_highres", "img_highres")
STATUS: dict[str, Split] = {"train": "training", "query": "query", "gallery": "gallery"}
LISTS: dict[str, Split] = {"train.txt": "training", "test_query.txt": "query", "test_gallery.txt": "gallery"}
FLAT: dict[str, Split] = {"train": "training", "query": "query", "gallery": "gallery"}
PATTERN = NamePattern(re.compile(r"(-?\d{1,9})_"), "0001_000.jpg")
ITEM = re.compile(r"id_([0-9]{1,9})")
COLUMNS = ["image_name", "item_id", "evaluation_status"]

Row = tuple[str, int, Split]
"""Path, identity and split."""
Found = tuple[str, tuple[str, ...], list[Row], tuple[str, ...]]
"""Layout, lists that were followed, images and remarks."""


def in_shop(root: Path, data: "Data") -> ImageList:
    """The images below this data root; queries and training have camera 0, the gallery camera 1.

    Images of a validation identity are queries and gallery in turn, so that no query answers itself.

    Raises:
        DataError: if the data set is not there, not complete, or has a file with a wrong name.
    """
    inside = [found for folder in candidates(root, FOLDERS) for found in candidates(folder, FOLDERS)]
    folders = list(dict.fromkeys(inside))
    for folder in folders:
        found = _official(folder) or _listed(folder) or _flat(folder)
        if found:
            layout, sources, rows, remarks = found
            return ImageList(
                name=NAME,
                folder=folder,
                layout=layout,
                records=_with_cameras(with_validation(_records(rows), NAME)),
                sources=sources,
                remarks=remarks,
            )
    layouts = {"official": (PARTITIONS[0], IMAGES[0]), "fast-reid": tuple(LISTS), "flat": tuple(FLAT)}
    raise not_found("In-Shop", folders, layouts, ADDRESS)


def _official(folder: Path) -> Found | None:
    partition = next((name for name in PARTITIONS if (folder / name).is_file()), None)
    if partition is None:
        return None
    images = next((name for name in IMAGES if (folder / name).is_dir()), None)
    if images is None:
        raise DataError(
            f"{folder / partition} is there, but none of {', '.join(IMAGES)}: unpack img.zip there"
        )
    lines, counted, remarks = _without_head(lines_of(folder / partition), partition)
    rows: list[Row] = []
    for line in lines:
        words = line.rsplit(maxsplit=2)
        item = ITEM.fullmatch(words[1]) if len(words) == 3 else None
        if item is None or words[2] not in STATUS:
            raise DataError(
                f"{folder / partition} is damaged: expected image, item (id_00000001) and one of "
                f"{', '.join(STATUS)}, got {line[:80]!r}"
            )
        # The first folder of a path is `img`, wherever the images are.
        inside = path_in(words[0], folder / partition).partition("/")[2]
        rows.append((f"{images}/{inside}", int(item[1]) - 1, STATUS[words[2]]))
    if counted not in (None, len(rows)):
        raise DataError(
            f"{folder / partition} is not complete: its first line counts {counted} images, it lists "
            f"{len(rows)}. Copy it again, or correct the count."
        )
    rows, repeated = distinct(rows, partition)
    require_present([path for path, _, _ in rows], folder, [images], partition)
    return f"official, {images}", (partition,), rows, (*remarks, *repeated)


def _without_head(lines: list[str], name: str) -> tuple[list[str], int | None, tuple[str, ...]]:
    """The lines of images, how many the list says there are, and a remark where it does not say so."""
    counted = number_of(lines[0]) if lines else None
    rest = lines if counted is None else lines[1:]
    if rest and rest[0].lower().split() == COLUMNS:
        rest = rest[1:]
    without = f"{name} has no line with its number of images: whether it is whole cannot be told"
    return rest, counted, (without,) if counted is None else ()


def _listed(folder: Path) -> Found | None:
    if not all((folder / name).is_file() for name in LISTS):
        return None
    rows: list[Row] = []
    for name, split in LISTS.items():
        for line in lines_of(folder / name):
            path, _, label = line.rpartition(",")
            identity = number_of(label.strip())
            if not path.strip() or identity is None:
                raise DataError(f"{folder / name} is damaged: expected path,label, got {line[:80]!r}")
            rows.append((path_in(path.strip(), folder / name), identity, split))
    source = " and ".join(LISTS)
    rows, repeated = distinct(rows, source)
    paths = [path for path, _, _ in rows]
    parts = {path.partition("/")[0] if "/" in path else "" for path in paths}
    require_present(paths, folder, sorted(parts), source)
    return "fast-reid", tuple(LISTS), rows, repeated


def _flat(folder: Path) -> Found | None:
    found = split_of(folder, FLAT)
    if found is None:
        return None
    rows = [
        (path, int(name[1]) - 1, split)
        for split, paths in found.items()
        for path, name in zip(paths, matched(paths, PATTERN, folder), strict=True)
    ]
    return "flat", (), rows, ()


def _records(rows: list[Row]) -> list[ImageRecord]:
    training = [identity for _, identity, split in rows if split == "training"]
    missing = set(STATUS.values()) - {split for _, _, split in rows}
    if missing:
        raise DataError(f"In-Shop has no image for {', '.join(sorted(missing))}: unpack the archive again")
    test = {identity for _, identity, split in rows if split != "training"}
    # Lists that count training and test identities from 0 each are told by the identities they share.
    moved = 1 + max(training) if test & set(training) else 0
    return [
        ImageRecord(path, identity + (0 if split == "training" else moved), int(split == "gallery"), split)
        for path, identity, split in rows
    ]


def _with_cameras(records: Iterable[ImageRecord]) -> tuple[ImageRecord, ...]:
    seen: dict[int, int] = {}
    found = []
    for record in sorted(records, key=lambda record: record.path):
        number = seen[record.identity] = seen.get(record.identity, -1) + 1
        in_turn = record.split == "validation"
        found.append(replace(record, camera=number % 2) if in_turn else record)
    return tuple(found)


DATASET = DatasetSpec(
    name=NAME,
    title="In-Shop",
    reader=in_shop,
    splits={
        "training": (Count(25_882, 3_997),),
        "query": (Count(14_218, 3_985),),
        "gallery": (Count(12_612, 3_985),),
    },
    protocols=(separate_gallery(),),
)
