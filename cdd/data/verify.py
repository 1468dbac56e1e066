"""Verification of a copy of a data set: counts against the published ones, and decoding of every image."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cdd.data.arrays import Arrays
from cdd.data.colour import UnreadableImageError, in_colour
from cdd.data.dataset_facts import Count, real_dataset
from cdd.data.image_list import ImageList, readable
from cdd.data.records import ImageRecord, Split


@dataclass(frozen=True)
class SplitCount:
    """Counts of one split of a copy, with the published counts.

    Attributes:
        verdict: `as published`, the remark of a known alternative, or `differs`.
        accepted: whether it is one of the first two.
    """

    split: Split
    images: int
    identities: int
    cameras: int
    published: Count
    verdict: str
    accepted: bool


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Counts, digest, unreadable images and remarks of a copy of a data set."""

    name: str
    folder: str
    layout: str
    digest: str
    splits: tuple[SplitCount, ...]
    cameras: int
    published_cameras: int | None
    unreadable: dict[str, str]
    """Why, by path."""
    remarks: tuple[str, ...]
    altered: tuple[str, ...] = ()
    """Files whose content is known to differ from what is published."""

    @property
    def ok(self) -> bool:
        """Whether all counts are known, every image can be read and no file is altered."""
        cameras = self.published_cameras in (None, self.cameras)
        whole = not self.unreadable and not self.altered
        return cameras and whole and all(split.accepted for split in self.splits)


def verify(
    copy: ImageList | Arrays, report: Callable[[int, int], None] = lambda done, total: None
) -> Verification:
    """Counts the images of a copy and decodes each of them; `report` is told how many are done.

    Images that come as arrays have been read already; which of their files are the published ones is known.
    """
    spec = real_dataset(copy.name)
    return Verification(
        name=copy.name,
        folder=readable(str(copy.folder)),
        layout=copy.layout,
        digest=copy.digest,
        splits=tuple(_counted(copy.records, split, known) for split, known in spec.splits.items()),
        cameras=len({record.camera for record in copy.records}),
        published_cameras=spec.cameras,
        unreadable=_unreadable(copy, report) if isinstance(copy, ImageList) else {},
        remarks=copy.remarks,
        altered=copy.altered if isinstance(copy, Arrays) else (),
    )


def remarks_on_counts(copy: ImageList | Arrays) -> tuple[str, ...]:
    """What a reader of results must know of this copy's size: nothing where it is as published."""
    known_splits = real_dataset(copy.name).splits
    counts = (_counted(copy.records, split, known) for split, known in known_splits.items())
    return tuple(
        f"{count.split}: {count.images} images of {count.identities} identities, published are "
        f"{count.published.images} of {count.published.identities}"
        + (f" ({count.verdict})" if count.accepted else "")
        for count in counts
        if count.verdict != "as published"
    )


def _counted(all_records: Sequence[ImageRecord], split: Split, published: tuple[Count, ...]) -> SplitCount:
    members = {"training": ("training", "validation")}.get(split, (split,))
    records = [record for record in all_records if record.split in members]
    images, identities = len(records), len({record.identity for record in records})
    matching = [count for count in published if (count.images, count.identities) == (images, identities)]
    verdict = (matching[0].remark or "as published") if matching else "differs"
    cameras = len({record.camera for record in records})
    return SplitCount(split, images, identities, cameras, published[0], verdict, bool(matching))


def _unreadable(listing: ImageList, report: Callable[[int, int], None]) -> dict[str, str]:
    def problem(record: ImageRecord) -> str | None:
        return _problem(listing.folder / record.path)

    reasons = {}
    readers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="verify")
    try:
        problems = readers.map(problem, listing.records)
        for done, (record, reason) in enumerate(zip(listing.records, problems, strict=True), 1):
            if reason:
                reasons[record.path] = reason
            report(done, len(listing.records))
    finally:
        # An interruption does not wait for the remaining images.
        readers.shutdown(cancel_futures=True)
    return reasons


def _problem(path: Path) -> str | None:
    try:
        in_colour(path)
    except UnreadableImageError as error:
        return error.reason
    return None
