"""VeRi-776: vehicles seen by 20 surveillance cameras.

Source: Liu et al., "A Deep Learning-Based Approach to Progressive Vehicle Re-identification for Urban
Surveillance", ECCV 2016; layouts as its authors, fast-reid and the CDD release have them.
"""

import re
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
from cdd.data.readers.list_files import distinct, lines_of, path_in
from cdd.data.records import ImageRecord, Split
from cdd.errors import DataError

if TYPE_CHECKING:
    from cdd.recipe import Data


NAME, ADDRESS = "veri776", "https://github.com/JDAI-CV/VeRidataset"
FOLDERS = ("veri", "veri776", "veri-776", "veri_776", "VeRi-776_dataset", "veri_dataset")
OFFICIAL: dict[str, Split] = {"image_train": "training", "image_query": "query", "image_test": "gallery"}
FLAT: dict[str, Split] = {"train": "training", "query": "query", "gallery": "gallery"}
LISTS = {"image_train": "name_train.txt", "image_query": "name_query.txt", "image_test": "name_test.txt"}
PATTERN = NamePattern(re.compile(r"(-?\d{1,9})_c(\d{1,9})"), "0002_c002_00030600_0.jpg")


def veri776(root: Path, data: "Data") -> ImageList:
    """The images below this data root.

    Raises:
        DataError: if the data set is not there, not complete, or has a file with a wrong name.
    """
    folders = candidates(root, FOLDERS)
    layouts = {"official": OFFICIAL, "flat": FLAT}
    for folder in folders:
        for layout, parts in layouts.items():
            found = split_of(folder, parts)
            if found:
                return _listing(folder, layout, found)
    raise not_found("VeRi-776", folders, layouts, ADDRESS)


def _listing(folder: Path, layout: str, found: dict[Split, list[str]]) -> ImageList:
    sources: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    there = [name for name in LISTS.values() if (folder / name).is_file()]
    if layout == "official" and 0 < len(there) < len(LISTS):
        remarks = (f"{' and '.join(there)} alone, without the other lists, is not followed",)
    elif layout == "official" and there:
        layout, sources = "official, by its lists", tuple(LISTS.values())
        found = {}
        for part, name in LISTS.items():
            found[OFFICIAL[part]], repeated = _listed(folder, part, name)
            remarks += repeated
    records = [record for split, paths in found.items() for record in _records(paths, split, folder)]
    return ImageList(
        name=NAME,
        folder=folder,
        layout=layout,
        records=with_validation(records, NAME),
        sources=sources,
        remarks=remarks,
    )


def _listed(folder: Path, part: str, name: str) -> tuple[list[str], tuple[str, ...]]:
    """The images of a list, and what is to be remarked of it."""
    source = folder / name
    rows, repeated = distinct(((f"{part}/{path_in(line, source)}",) for line in lines_of(source)), name)
    paths = sorted(path for (path,) in rows)
    require_present(paths, folder, [part], name)
    return paths, repeated


def _records(paths: list[str], split: Split, folder: Path) -> list[ImageRecord]:
    found = zip(paths, matched(paths, PATTERN, folder), strict=True)
    records = [ImageRecord(path, int(name[1]), int(name[2]) - 1, split) for path, name in found]
    kept = [record for record in records if record.identity >= 0]
    if not kept:
        raise DataError(f"VeRi-776 in {folder} has no image for {split}: unpack the archive again")
    return kept


DATASET = DatasetSpec(
    name=NAME,
    title="VeRi-776",
    reader=veri776,
    splits={
        "training": (
            Count(37_778, 576),
            Count(37_778, 575, "575 training identities, as some lists have them"),
            Count(37_746, 576, "37,746 training images, as the CDD paper and some copies have them"),
            Count(37_746, 575, "37,746 training images of 575 identities, as some copies have them"),
        ),
        "query": (Count(1_678, 200),),
        "gallery": (Count(11_579, 200),),
    },
    cameras=20,
    protocols=(camera_rule(),),
)
