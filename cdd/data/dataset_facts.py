"""What the data sets' authors publish about their size, and copies that are known to differ."""

from dataclasses import dataclass
from typing import Literal

from cdd.data.records import Split


@dataclass(frozen=True)
class Count:
    """Images and identities of one split; `remark` says which copy of the data set has them."""

    images: int
    identities: int
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Counts by split, the usual one first and known alternatives behind it; cameras of the whole set.

    `training` here contains the identities that serve validation. In classification the test images show
    the training identities, which are the classes.
    """

    title: str
    splits: dict[Split, tuple[Count, ...]]
    cameras: int | None
    task: Literal["retrieval", "classification"] = "retrieval"


PUBLISHED = {
    "veri776": Published(
        title="VeRi-776",
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
    ),
    "msmt17": Published(
        title="MSMT17",
        splits={
            "training": (Count(32_621, 1_041), Count(30_248, 1_041, "list_val is not trained on")),
            "query": (Count(11_659, 3_060),),
            "gallery": (Count(82_161, 3_060),),
        },
        cameras=15,
    ),
    "in-shop": Published(
        title="In-Shop",
        splits={
            "training": (Count(25_882, 3_997),),
            "query": (Count(14_218, 3_985),),
            "gallery": (Count(12_612, 3_985),),
        },
        cameras=None,
    ),
    "cifar10": Published(
        title="CIFAR-10",
        splits={"training": (Count(50_000, 10),), "test": (Count(10_000, 10),)},
        cameras=None,
        task="classification",
    ),
    "cifar100": Published(
        title="CIFAR-100",
        splits={"training": (Count(50_000, 100),), "test": (Count(10_000, 100),)},
        cameras=None,
        task="classification",
    ),
}
